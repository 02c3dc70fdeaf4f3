"""HTML, escaped unless it is said to be markup."""

from html import escape

from kresnet.printable import printable

VOID = {"meta", "br"}


# Of what does not print: white space, which a browser shows as such.
_KEPT = "\n\u00a0"


class Markup(str):
    """Text that is HTML already."""


Content = str | int | float | None


def element(name: str, /, *children: Content, **attributes: Content) -> Markup:
    """An HTML element; whatever is not `Markup` is escaped.

    Args:
        name: Of the element.
        *children: Markup or text; `None` is left out.
        **attributes: Underscores become dashes, one at the end is dropped
            (`class_`); `None` is left out, and "" stands alone (`open`).
    """
    start = f"<{name}"
    for key, value in attributes.items():
        if value is not None:
            key = key.rstrip("_").replace("_", "-")
            start += f' {key}="{_escaped(value)}"' if value != "" else f" {key}"
    if name in VOID:
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


def bullets(texts: list) -> Markup:
    """A list of texts."""
    return element("ul", *(element("li", text) for text in texts))


def wide(text: str) -> Markup:
    """Text in a table that needs some width to be read."""
    return element("div", text, class_="wide")


def table(caption: str, header: list, rows: list[list]) -> Markup:
    """A table with a caption, column headers and row headers.

    It scrolls by itself where the screen is too narrow for it, also by keys.

    Args:
        caption: What it shows.
        header: Names of the columns.
        rows: Cells; the first of each row is its header.
    """
    head = element("tr", *(element("th", name, scope="col") for name in header))
    body = [
        element(
            "tr",
            element("th", first, scope="row"),
            *(element("td", cell) for cell in rest),
        )
        for first, *rest in rows
    ]
    return element(
        "div",
        element(
            "table",
            # Inside: a caption is as wide as its table, seen or not.
            element("caption", element("span", caption)),
            element("thead", head),
            element("tbody", *body),
        ),
        class_="scroll",
        role="region",
        aria_label=caption.partition(":")[0],
        tabindex=0,
    )
