"""The command `kresnet diff`."""

from kresnet.commands.options import SpecOrRun
from kresnet.notices import say


def diff(a: SpecOrRun, b: SpecOrRun) -> None:
    """Say what differs between two specs or runs, and count both networks."""
    from kresnet.commands.spec_or_run import read_spec_or_run
    from kresnet.difference import difference

    found = difference(read_spec_or_run(a), read_spec_or_run(b))
    say(f"{a} -> {b}", "", *found.split("\n"))
