"""What a test sees of each image: one crop, several, or all of it.

Reference:
    Krizhevsky et al. 2012, section 4.1 (ten crops); Simonyan, Zisserman 2014,
    sections 3.2 and 4.3 (dense, and a grid of crops); He et al. 2015, section
    3.4 (dense, at five scales).
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from typing import get_args

from kresnet.errors import SpecError
from kresnet.records.evaluation import ViewName
from kresnet.spec import Spec

KINDS: tuple[ViewName, ...] = get_args(ViewName)
# In units of the input's longer side: 224 to 640, and 256 to 512.
SCALES = {
    "dense": tuple(Fraction(n, 7) for n in (7, 8, 12, 15, 20)),
    "grid": tuple(Fraction(n, 7) for n in (8, 12, 16)),
}
# They stand in the name of a result's file.
MOST_SIDES = 20


@dataclasses.dataclass(frozen=True)
class View:
    """What a test sees of an image.

    Attributes:
        kind: One of `KINDS`.
        shorter_sides: The lengths that the shorter side is resized to, in
            pixels; empty for those of the paper, in proportion to the input.
        flip: Whether the mirror image is seen too; several crops have it
            always.

    Raises:
        SpecError: They do not go together.
    """

    kind: ViewName = "single"
    shorter_sides: Sequence[int] = ()
    flip: bool = False

    def __post_init__(self):
        if self.kind not in KINDS:
            raise SpecError(
                f"--view: must be one of {', '.join(KINDS)}. Received:"
                f" {self.kind}"
            )
        sides = tuple(self.shorter_sides)
        if sides and self.kind in ("single", "ten-crop"):
            raise SpecError(
                f"--scales: goes with --view dense, multi-crop or"
                f" dense-and-crop; the shorter side of {self.kind} is that of"
                " data.views.test"
            )
        if len(set(sides)) < len(sides):
            raise SpecError(
                "--scales: must differ from each other. Received:"
                f" {', '.join(map(str, sides))}"
            )
        if len(sides) > MOST_SIDES:
            raise SpecError(
                f"--scales: must be at most {MOST_SIDES} lengths. Received:"
                f" {len(sides)}"
            )
        if self.flip and self.kind not in ("single", "dense"):
            raise SpecError(
                f"--flip: goes with --view single or dense; {self.kind} sees"
                " mirror images anyway"
            )

    @property
    def name(self) -> str:
        """What it adds to the name of a file; nothing for one crop."""
        kind = "" if self.kind == "single" else f"-{self.kind}"
        sides = "".join(f"-{side}px" for side in self.shorter_sides)
        return f"{kind}{sides}{'-flip' if self.flip else ''}"

    @property
    def options(self) -> str:
        """What asks for it on the command line, but for the sizes."""
        return f"--view {self.kind}{' --flip' * self.flip}"

    @property
    def mirrored(self) -> bool:
        """Whether mirror images are seen."""
        return self.flip or self.kind not in ("single", "dense")

    def sides(self, spec: Spec) -> tuple[int, ...]:
        """The shorter sides in pixels; empty where images have one size.

        Raises:
            SpecError: The images have no such view, a side is too short, or
                a transform has no dense test.
        """
        views, longer = spec.data.views, max(spec.model.input[:2])
        if self.kind == "single":
            return (views.test.shorter_side,) if views else ()
        if views is None:
            raise SpecError(
                f"--view {self.kind}: is of photos, which are larger than the"
                f" input. The images of {spec.data.facts.title} have its size"
                " and are seen whole, as in He et al. 2015, section 4.2: leave"
                " --view out; --flip adds the mirror image"
            )
        if self.kind == "ten-crop":
            return (views.test.shorter_side,)
        if self.kind != "multi-crop" and any(
            transform.layer == "zca_whitening"
            for transform in spec.data.transforms
        ):
            raise SpecError(
                f"--view {self.kind}: zca_whitening mixes all pixels of an"
                " image of one size, and has no dense test"
            )
        scales = SCALES["dense" if self.kind == "dense" else "grid"]
        sides = tuple(self.shorter_sides) or tuple(
            round(longer * scale) for scale in scales
        )
        if min(sides) < longer:
            raise SpecError(
                f"--scales: must be at least {longer}, the longer side of the"
                f" input. Received: {min(sides)}"
            )
        return sides

    def words(self, spec: Spec) -> str:
        """What a protocol says of it; errors as of `sides`."""
        height, width, _ = spec.model.input
        sides = ", ".join(map(str, self.sides(spec)))
        crops = f"{width}×{height} at shorter side {sides}"
        dense = (
            f"the whole image at shorter side {sides}"
            f"{' and its mirror image' if self.mirrored else ''}, logits"
            " averaged over positions"
        )
        means = [t.layer for t in spec.data.transforms]
        if "per_pixel_mean" in means:
            dense += ", the mean colour in the place of the per-pixel mean"
        grid = f"a grid of 5×5 crops and their mirror images, {crops}"
        averaged = "; probabilities averaged"
        if self.kind == "ten-crop":
            return (
                "10 crops, the corners, the centre and their mirror images,"
                f" {crops}{averaged}"
            )
        if self.kind != "single":
            seen = {"dense": dense, "multi-crop": grid}
            return seen.get(self.kind, f"{dense}, and {grid}") + averaged
        if sides:
            one = f"one crop in the centre, {crops}"
        else:
            one = "one whole image, not augmented"
        return f"{one}, and its mirror image{averaged}" if self.flip else one
