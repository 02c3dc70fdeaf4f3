"""Which runs stand for longer ones, and saying so beside every number."""

from kresnet.records.run import RecordedRun
from kresnet.records.study import study_of
from kresnet.reporting.average import NOTHING
from kresnet.reporting.markup import Markup, element, joined
from kresnet.spec import load_spec, shipped_specs

WORD = "proxy"


def is_proxy(run: RecordedRun) -> bool:
    """Whether a run was trained for a part of the iterations that were meant.

    Meant by the study it belongs to, or by the shipped spec of its name.
    """
    study = study_of(run.folder)
    if study is not None and study.proxy:
        return True
    if run.spec.name not in shipped_specs():
        return False
    meant = load_spec(run.spec.name).training.iterations
    return run.spec.training.iterations < meant


def named(name: str, proxy: bool) -> str:
    """The name of a network in a figure: "plain56-clip, proxy"."""
    return f"{name}, {WORD}" if proxy else name


def marked(text: str, proxy: bool) -> str | Markup:
    """A number in a cell of a table, and that it is a proxy's."""
    if not proxy or text == NOTHING:
        return text
    return joined(text, element("small", f" {WORD}"))


def caption(text: str, proxy: bool) -> str:
    """A figure's caption, which says what a proxy is if it shows one."""
    if not proxy:
        return text
    return (
        f"{text} A proxy was trained for a part of the iterations that were"
        " meant; none of its numbers stands beside the paper's."
    )
