"""Whose names a file has, what stands before them, and what does not fit."""

from collections import Counter
from collections.abc import Iterator

from kresnet.architecture import ModelSpec, inventory
from kresnet.errors import KresnetError, SpecError
from kresnet.importing.fit import Match, match
from kresnet.importing.layout import theirs
from kresnet.importing.namings import NAMINGS
from kresnet.spec import load_spec, shipped_specs
from kresnet.weight_files import Listing

# What may stand between a prefix and a name.
BETWEEN = "./"
# Lines about single arrays in a message.
MOST_LINES = 10


def matches(
    model: ModelSpec,
    held: Listing,
    naming: str | None = None,
    prefix: str | None = None,
    **how: bool,
) -> list[Match]:
    """Every naming and prefix under which names are found, best first."""
    parts = inventory(model)
    first = next(part for part in parts if part.shapes)
    found = []
    for each in NAMINGS.values():
        if naming not in (None, each.name) or not each.applies(model):
            continue
        name = each.array(first, next(iter(first.shapes)))
        prefixes = {
            key.removesuffix(name)
            for key in held
            if key.endswith(name)
            and (key == name or key.removesuffix(name)[-1] in BETWEEN)
        }
        for before in sorted(prefixes):
            if prefix in (None, before):
                found.append(
                    match(model, each, before, held, parts=parts, **how)
                )
    return sorted(found, key=lambda each: each.rank, reverse=True)


def recognise(
    model: ModelSpec,
    held: Listing,
    naming: str | None = None,
    prefix: str | None = None,
    **how: bool,
) -> Match:
    """The naming and the prefix under which a file has most names.

    Raises:
        SpecError: It has none, or as many under two that are not the same.
    """
    found = matches(model, held, naming, prefix, **how)
    if not found:
        known = [n.name for n in NAMINGS.values() if n.applies(model)]
        of = f" of --naming {naming}" if naming else ""
        under = f" under --prefix {prefix!r}" if prefix is not None else ""
        raise SpecError(
            f"no names{of} are found{under}. Networks like this one have names"
            f" of: {', '.join(known)}. Found: {', '.join(list(held)[:3])} …"
        )
    best = found[0]
    equal = [e for e in found if e.rank == best.rank]
    if any(each.effect != best.effect for each in equal):
        raise SpecError(
            "names are found as often in two ways; --prefix or --naming must"
            " say which:",
            *(
                f"  --naming {each.naming.name} --prefix {each.prefix!r}"
                for each in equal
            ),
        )
    return best


def refuse_misfit(best: Match, held: Listing, name: str) -> None:
    """Raises a SpecError unless every array is there and no other.

    `best` is the match that would be taken, `name` that of the spec.
    """
    if best.fits:
        return
    under = f" under {best.prefix!r}" if best.prefix else ""
    wrong = [
        (each.part.place.group, f"{each.name}: missing")
        for each in best.missing
    ]
    wrong += [
        (
            each.part.place.group,
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
    if {each.part.place.group for each in best.misshapen} == {"fc"} and len(
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
