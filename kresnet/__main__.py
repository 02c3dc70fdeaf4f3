"""`kresnet`, and `python -m kresnet`."""

from kresnet.machine.signals import end_on_signals


def main() -> None:
    """Runs the command; signals end it from the beginning."""
    end_on_signals()
    # Not above: it takes its time.
    from kresnet.cli import main

    main()


if __name__ == "__main__":
    main()
