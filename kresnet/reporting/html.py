"""HTML that holds nothing but text and figures."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from xml.etree import ElementTree

from matplotlib.figure import Figure

from kresnet.figures import DARK_GREY, ReportFigure, svg_bytes
from kresnet.printable import printable

# White space that does not print, and that a browser shows as such.
_KEPT = "\n\u00a0"


class Markup(str):
    """Text that is HTML already."""


Content = str | int | float | None
Row = dict[str, Content]  # of a table, by column


def element(name: str, /, *children: Content, **attributes: Content) -> Markup:
    """An HTML element; whatever is not `Markup` is escaped, `None` left out.

    Underscores in the names of attributes become dashes; one at the end is
    dropped (`class_`).
    """
    start = f"<{name}"
    for key, value in attributes.items():
        start += f' {key.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
    if name == "meta":  # which has no end
        return Markup(f"{start}>")
    return Markup(f"{start}>{joined(*children)}</{name}>")


def joined(*children: Content) -> Markup:
    """Children one after another, escaped unless they are markup."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else _escaped(child)
            for child in children
            if child is not None
        )
    )


def _escaped(text: Content) -> str:
    return escape(printable(text, _KEPT))


def bullets(texts: Sequence[str]) -> Markup:
    """A list of texts."""
    return element("ul", *(element("li", text) for text in texts))


def wide(text: str) -> Markup:
    """Text in a table that needs some width to be read."""
    return element("div", text, class_="wide")


def table(
    caption: str, rows: Sequence[Mapping[str, Content]]
) -> Iterator[Markup]:
    """A table with a caption and headers, or nothing without a row.

    It scrolls by itself where the screen is too narrow for it, also by keys.
    The first of the cells of a row, by column, is its header.
    """
    if not rows:
        return
    names = (element("th", name, scope="col") for name in rows[0])
    body = [
        element(
            "tr",
            element("th", first, scope="row"),
            *(element("td", cell) for cell in rest),
        )
        for first, *rest in (row.values() for row in rows)
    ]
    yield element(
        "div",
        element(
            "table",
            # Inside: a caption is as wide as its table, seen or not.
            element("caption", element("span", caption)),
            element("thead", element("tr", *names)),
            element("tbody", *body),
        ),
        class_="scroll",
        role="region",
        aria_label=caption.partition(":")[0],
        tabindex=0,
    )


# What is black or grey on white follows the colours of the page.
PAGE_COLOURS = {"#000000": "currentColor", DARK_GREY: "var(--muted)"}


def inline_svg(
    figure: Figure, prefix: str, title: str, description: str
) -> Markup:
    """A figure as an `<svg>` element that names itself to screen readers.

    Matplotlib numbers the parts of every figure from 1 and refers to them by
    id; `prefix`, letters and digits, keeps those of a page's figures apart.
    """
    root = ElementTree.fromstring(svg_bytes(figure, transparent=True))
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) == "metadata":
                parent.remove(child)
    for node in root.iter():
        node.tag = _local(node.tag)
        node.attrib = {
            _local(key): _value(_local(key), value, prefix)
            for key, value in node.attrib.items()
        }
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{prefix}-title {prefix}-desc",
    }
    described = (
        element("title", title, id=f"{prefix}-title"),
        element("desc", description, id=f"{prefix}-desc"),
    )
    text = ElementTree.tostring(root, "unicode", short_empty_elements=False)
    start = text.index(">") + 1
    return Markup(text[:start] + "".join(described) + text[start:])


def figure(shown: ReportFigure) -> Markup:
    """A figure with its caption."""
    return element(
        "figure",
        inline_svg(shown.figure, shown.place, shown.title, shown.description),
        element("figcaption", f"{shown.title}. {shown.caption}"),
    )


def _local(name: str) -> str:
    """A name without its namespace, which HTML does not need."""
    return name.rpartition("}")[2]


def _value(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href":
        own = value.startswith("#")  # or else an image, in lines
        return f"#{prefix}-{value[1:]}" if own else "".join(value.split())
    value = value.replace("url(#", f"url(#{prefix}-")
    if name in ("style", "fill", "stroke"):
        pattern = "|".join(map(re.escape, PAGE_COLOURS))
        return re.sub(pattern, lambda found: PAGE_COLOURS[found[0]], value)
    return value
