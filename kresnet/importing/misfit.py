"""Says why weights do not fit a network, and which networks they do fit."""

from collections import Counter
from collections.abc import Iterator

from kresnet.errors import KresnetError, SpecError
from kresnet.importing.fit import Match
from kresnet.importing.layout import theirs
from kresnet.importing.recognise import matches
from kresnet.spec import load_spec, shipped_specs
from kresnet.weight_files import Listing

# Lines about single arrays in a message.
MOST_LINES = 10


def refuse_misfit(best: Match, held: Listing, name: str) -> None:
    """Raises a SpecError unless every array is there and no other.

    `best` is the match that would be taken, `name` that of the spec.
    """
    if best.fits:
        return
    under = f" under {best.prefix!r}" if best.prefix else ""
    wrong = [
        (each.part.group, f"{each.name}: missing") for each in best.missing
    ]
    wrong += [
        (
            each.part.group,
            f"{each.name}: is {_sides(held[each.name].shape)}, and {name} needs"
            f" {_sides(theirs(each.part, each.array, best.naming))}",
        )
        for each in best.misshapen
    ]
    wrong += [
        ("left over", f"{each}: left over, {_sides(held[each].shape)}")
        for each in best.unknown
    ]
    counts = Counter(group for group, _ in wrong)
    lines = [f"  {line}" for _, line in wrong[:MOST_LINES]]
    if len(wrong) > MOST_LINES:
        lines.append(f"  … and {len(wrong) - MOST_LINES:,} more")
    if {each.part.group for each in best.misshapen} == {"fc"} and len(
        wrong
    ) == len(best.misshapen):
        lines.append(
            "Only the classifier is another: --without-classifier takes the"
            " rest"
        )
    others = ", ".join(_specs_that_fit(held))
    raise SpecError(
        f"the weights do not fit {name}, with names of {best.naming.name}"
        f"{under}: {len(best.missing):,} arrays are missing,"
        f" {len(best.misshapen):,} have another shape, {len(best.unknown):,}"
        f" are left over ({', '.join(f'{k} {n}' for k, n in counts.items())})",
        *lines,
        f"Shipped specs that they fit: {others or 'none'}",
    )


def _sides(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"


def _specs_that_fit(held: Listing) -> Iterator[str]:
    """Names of specs; a dozen arrays more or less cannot be theirs."""
    for name in shipped_specs():
        try:
            model = load_spec(name).model
        except KresnetError:
            continue
        if any(each.fits for each in matches(model, held)[:1]):
            yield name
