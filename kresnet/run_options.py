"""The options of a run: what concerns the machine and not the experiment.

The command line, the Python API and studies are made from this one model.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from kresnet.documents import (
    Expected,
    Fields,
    Flag,
    Integer,
    Problem,
    value_problems,
)
from kresnet.errors import SpecError

MOST = 100_000_000
Every = Annotated[Integer, Field(ge=1, le=MOST)]
Kind = TypeVar("Kind", bound="RunOptions")


class RunOptions(Fields):
    """How to run, whatever the spec."""

    checkpoint_every: Every = Field(
        1_000, description="Iterations between checkpoints."
    )
    strict: Flag = Field(
        False, description="Continue only where the result stays bit-identical."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="What convolutions compute in; weights, batch-norm"
        " statistics and the loss stay float32.",
    )
    rematerialize: Flag = Field(
        False,
        description="Compute activations twice instead of keeping them, for"
        " very deep nets: less memory, a third more time, the same result.",
    )
    responses_every: Every | None = Field(
        None,
        description="Measure layer responses (figure 7) every N iterations.",
    )
    response_images: Annotated[Integer, Field(ge=0, le=MOST)] = Field(
        1_000,
        description="Training images that they are measured on, the first"
        " ones; 0 for all.",
    )
    gradients_every: Every | None = Field(
        None, description="Measure gradient norms by layer every N iterations."
    )
    devices: Annotated[str, Expected("a text")] | None = Field(
        None,
        description="All GPUs, the first N, a list such as 0,2 or gpu:1, the"
        " CPU, or N virtual CPU devices. [default: all GPUs that the batch can"
        " be spread over, or the CPU]",
    )
    deterministic: Flag = Field(
        False,
        description="Equal bits each time on GPUs too; slower. CPUs always"
        " give them.",
    )
    wait_for_lock: Annotated[Integer, Field(ge=0, le=MOST)] = Field(
        0, description="Seconds to wait for another process in the folder."
    )

    @classmethod
    def of(cls: type[Kind], **given: Any) -> Kind:
        """Makes options from arguments in Python.

        Raises:
            SpecError: A value is out of range: a line for each.
            TypeError: There is no such option.
        """
        for name in given.keys() - cls.model_fields.keys():
            raise TypeError(f"there is no option {name!r}")
        options, problems = value_problems(given, cls)
        if options is None:
            raise SpecError(*(_line(each, given) for each in problems))
        return options

    def arguments(self) -> list[str]:
        """The options that are not the default, as on the command line."""
        own = set(RunOptions.model_fields)
        given = self.model_dump(include=own, exclude_defaults=True)
        return [
            option(name) if value is True else f"{option(name)}={value}"
            for name, value in given.items()
        ]


def option(field: str) -> str:
    """A field's name on the command line."""
    return f"--{field.replace('_', '-')}"


def _line(problem: Problem, given: dict[str, Any]) -> str:
    name = str(problem.path[0])
    message = problem.message.replace(" or null", "")
    end = "" if message.endswith("?") else "."
    return f"{option(name)}: {message}{end} Received: {given[name]}"
