"""Whose names a file has, and what stands before them."""

from kresnet.architecture import ModelSpec, inventory
from kresnet.errors import SpecError
from kresnet.importing.fit import Match, match
from kresnet.importing.namings import NAMINGS
from kresnet.weight_files import Listing

# What may stand between a prefix and a name.
BETWEEN = "./"


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
