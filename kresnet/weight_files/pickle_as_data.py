"""The values of a pickle, read as data: nothing in it is looked up or called.

A pickle is a list of instructions. `pickletools.genops` lists them and runs
none. Here they move plain values on a stack, on which a class, a function or a
call is only its name. So a checkpoint opens that also holds an
`argparse.Namespace`, and a call of `os.system` is a word.
"""

import pickletools
import warnings
from collections.abc import Callable
from typing import IO, Any, NamedTuple, Protocol, cast

# Instructions of one pickle; ResNet-1202's state dict has some 100,000.
MOST_INSTRUCTIONS = 10_000_000
ORDERED = "collections.OrderedDict"


class Readable(Protocol):
    """A file, as far as a pickle needs it."""

    def read(self, count: int, /) -> bytes:
        """Returns so many bytes, or those that are left."""

    def readline(self) -> bytes:
        """Returns the bytes up to a line's end."""


class Name(NamedTuple):
    """A class or a function that the file names."""

    name: str


class Call(NamedTuple):
    """A call that the file asks for; it is not made."""

    function: object
    arguments: Any

    @property
    def name(self) -> str:
        """What would be called; empty where that is computed."""
        return self.function.name if isinstance(self.function, Name) else ""


class Stored(NamedTuple):
    """A reference to data outside the pickle; of torch, a storage."""

    id: Any


_CONSTANTS: dict[str, object] = {
    "EMPTY_TUPLE": (),
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
}
_MAKES: dict[str, Callable[[], object]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
}


def read_pickle(file: Readable, stored: list[Stored] | None = None) -> Any:
    """Returns the value of the next pickle of a file.

    Args:
        file: Stands at its beginning, and is left after its end.
        stored: Every `Stored` in it is added here, also of what is left out.

    Returns:
        Numbers, text, lists, tuples and mappings, and `Name`, `Call` and
        `Stored` for the rest. What would be filled in after a call (its
        "state") is left out.

    Raises:
        ValueError: It is no pickle, or has instructions that no file of
            weights has. Other built-in exceptions may come of damage.
    """
    machine = _Machine([] if stored is None else stored)
    with warnings.catch_warnings():
        # Python's about escapes in text that is damaged.
        warnings.simplefilter("ignore")
        instructions = pickletools.genops(cast(IO[bytes], file))
        for count, (code, argument, _) in enumerate(instructions):
            if count > MOST_INSTRUCTIONS:
                raise ValueError(
                    f"more than {MOST_INSTRUCTIONS:,} instructions"
                )
            if code.name == "STOP":
                return machine.stack.pop()
            machine.do(code, argument)
    raise ValueError("its pickle has no end")


class _Machine:
    """The stack that the instructions work on."""

    def __init__(self, stored: list[Stored]):
        self.stored = stored
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def do(self, code: pickletools.OpcodeInfo, argument: Any) -> None:
        """Does one instruction, other than STOP."""
        stack, op = self.stack, code.name
        if op in ("PROTO", "FRAME"):
            return
        if op == "MARK":
            self._marks.append(len(stack))
        elif op in _MAKES:
            stack.append(_MAKES[op]())
        elif op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(op[5])
            stack[-size:] = [tuple(stack[-size:])]
        elif op in ("TUPLE", "LIST", "FROZENSET"):
            stack.append(tuple(self._since_mark()))
        elif op in ("SETITEM", "SETITEMS", "DICT"):
            one = op == "SETITEM"
            flat = [stack.pop(-2), stack.pop()] if one else self._since_mark()
            if op == "DICT":
                stack.append({})
            _put(stack[-1], zip(flat[::2], flat[1::2], strict=True))
        elif op in ("APPEND", "APPENDS", "ADDITEMS"):
            values = [stack.pop()] if op == "APPEND" else self._since_mark()
            if isinstance(stack[-1], list):
                stack[-1].extend(values)
        elif op in ("GLOBAL", "STACK_GLOBAL"):
            text = op == "GLOBAL"
            names = (
                argument.split(" ") if text else [stack.pop(-2), stack.pop()]
            )
            stack.append(Name(".".join(names)))
        elif op in ("REDUCE", "NEWOBJ"):
            call = Call(stack.pop(-2), stack.pop())
            stack.append(_ordered(call) if call.name == ORDERED else call)
        elif op == "BUILD":
            stack.pop()
        elif op == "BINPERSID":
            stack.append(Stored(stack.pop()))
            self.stored.append(stack[-1])
        elif op in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            key = len(self._memo) if op == "MEMOIZE" else argument
            self._memo[key] = stack[-1]
        elif op in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif (
            argument is not None and code.stack_after and not code.stack_before
        ):
            stack.append(argument)  # numbers, text, bytes
        else:
            raise ValueError(f"its pickle has the instruction {op}")

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        values, self.stack[start:] = self.stack[start:], []
        return values


def _ordered(call: Call) -> dict:
    """A mapping; its pairs are there at once or follow."""
    found: dict = {}
    if call.arguments:
        _put(found, ((key, value) for key, value in call.arguments[0]))
    return found


def _put(mapping: Any, pairs: Any) -> None:
    if isinstance(mapping, dict):  # else the items of a call, which is not made
        # Simple keys alone: hashing a deep tuple would end the process.
        mapping.update((k, v) for k, v in pairs if isinstance(k, str | int))
