"""`kresnet`, and `python -m kresnet`."""

from kresnet.machine.signals import ENDING


def main() -> None:
    """Runs the command; signals end it from the beginning."""
    ENDING.listen()
    # Not above: it takes its time.
    from kresnet.cli import main

    main()


if __name__ == "__main__":
    main()
