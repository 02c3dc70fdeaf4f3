"""The command that looks at photos: data."""

from typing import Annotated

import typer

from kresnet.commands.arguments import named_folder
from kresnet.notices import notify, say


def data(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            callback=named_folder,
            help="Folder with train/ and test/ or val/.",
        ),
    ],
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Decode every image and store a sum of each file, which"
            " training compares from then on.",
        ),
    ] = False,
) -> None:
    """List what is in a folder of photos."""
    from kresnet.data.folder import folder_of, passed_over
    from kresnet.data.survey import survey

    found = survey(folder_of(folder), verify)
    width = max(len(name) for name in (*found.class_names, "images"))
    say("  ".join([" " * width, *(f"{split:>10}" for split in found.counts)]))
    for i, name in enumerate(found.class_names):
        counts = (f"{each[i]:>10,}" for each in found.counts.values())
        say("  ".join([f"{name:<{width}}", *counts]))
    totals = (f"{sum(each):>10,}" for each in found.counts.values())
    say("  ".join([f"{'images':<{width}}", *totals]), "")
    if found.sizes:
        for side, (least, median, most) in zip(
            ("widths", "heights"), found.sizes, strict=True
        ):
            say(f"{side}: {least:,} to {most:,}, median {median:,}")
        modes = (f"{count:,} {mode}" for mode, count in found.modes.items())
        say(f"modes: {', '.join(modes)}")
    for split, names in found.passed_over.items():
        if names:
            say(f"{split}: {passed_over(names)}")
    for first, second in found.duplicates:
        say(f"the same file twice: {first} and {second}")
    if found.sums:
        say(f"decoded all; sums: {found.sums}")
    for path, why in found.broken:
        notify(f"{path}: {why}")
    if broken := len(found.broken):
        images = "1 image" if broken == 1 else f"{broken:,} images"
        notify(f"{images} cannot be read")
        # 65 if any image is damaged, 66 if some are only missing
        raise typer.Exit(min(why.exit_code for _, why in found.broken))
