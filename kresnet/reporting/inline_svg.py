"""A figure as SVG inside an HTML page."""

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from kresnet.reporting.figures import DARK_GREY, svg_bytes
from kresnet.reporting.markup import Markup, element

# What is black or grey on white follows the colours of the page.
PAGE_COLOURS = {"#000000": "currentColor", DARK_GREY: "var(--muted)"}


def inline_svg(
    figure: Figure, prefix: str, title: str, description: str
) -> Markup:
    """A figure as an `<svg>` element that names itself to screen readers.

    Matplotlib numbers the parts of every figure from 1 and refers to them by
    id; `prefix` keeps the ids of the figures of one page apart.

    Args:
        figure: The figure.
        prefix: Letters, digits and dashes, different for each figure.
        title: Its name.
        description: What can be seen.
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
