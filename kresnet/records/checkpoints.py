"""The checkpoints of a run: written whole, verified, never unpickled.

`checkpoints/00032000/` is a sealed folder of two safetensors files (weights
with adapted statistics, and the optimiser's variables) and what the callbacks
must remember. The last two and the best by validation are kept.
"""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from kresnet import sealed_folder
from kresnet.errors import (
    BadDataError,
    InputMissingError,
    read_error,
    write_error,
)
from kresnet.records.identity import Identity
from kresnet.records.typed_file import checked

Arrays = dict[str, np.ndarray]
Notify = Callable[[str], None]


def checkpoint_name(iteration: int) -> str:
    """The folder of an iteration's checkpoint: "00032000"."""
    return f"{iteration:08d}"


def is_checkpoint_name(name: str) -> bool:
    """Whether a checkpoint has this name; other digits are somebody else's."""
    digits = re.fullmatch("[0-9]{8,18}", name)
    return bool(digits) and checkpoint_name(int(name)) == name


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint.

    Attributes:
        iteration: Updates done.
        weights: Arrays of the model by variable path.
        optimizer: Arrays of the optimiser by variable path.
        state: State of the callbacks and lengths of the log files.
        identity: That of the run it belongs to.
    """

    iteration: int
    weights: Arrays
    optimizer: Arrays
    state: dict
    identity: Identity


class Checkpoints:
    """The `checkpoints` folder of a run.

    Args:
        folder: Made when the first checkpoint is saved.
        notify: Is told of damage, in words.
        check_lock: Raises an error where the folder is another run's by now;
            it is called before each write.
        identity: The run's; a checkpoint of another one is refused. `None`
            while it is not known.
    """

    def __init__(
        self,
        folder: Path,
        notify: Notify,
        check_lock: Callable[[], None] = lambda: None,
        identity: Identity | None = None,
    ):
        self.folder = folder
        self.notify = notify
        self.check_lock = check_lock
        self.identity = identity

    def iterations(self) -> list[int]:
        """Iterations of the checkpoints that are there, in order.

        Raises:
            InputMissingError: The folder may not be read.
        """
        try:
            return self._listed()
        except OSError as error:
            raise read_error(self.folder, error) from error

    def _listed(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        names = (path.name for path in self.folder.iterdir())
        return sorted(int(name) for name in names if is_checkpoint_name(name))

    def save(
        self, checkpoint: Checkpoint, keep: set[int] | None = None
    ) -> None:
        """Writes a checkpoint and removes those no longer needed.

        Args:
            checkpoint: What to write; one of its iteration that is there
                already stays as it is.
            keep: Iterations to keep beside the last two.

        Raises:
            DiskFullError: It could not be written whole; those before it are
                untouched.
            CannotWriteError: The folder is read-only or gone.
        """
        self.check_lock()
        path = self._path(checkpoint.iteration)
        try:
            self.folder.mkdir(exist_ok=True)
            # What a killed process left; the run's lock is held.
            for left in self.folder.glob(f"{sealed_folder.TEMPORARY}*"):
                shutil.rmtree(left, ignore_errors=True)
            if not path.exists():
                content = {
                    "iteration": checkpoint.iteration,
                    "identity": checkpoint.identity.model_dump(mode="json"),
                    "state": checkpoint.state,
                }
                with sealed_folder.create(path, content) as own:
                    for name in ("weights", "optimizer"):
                        data = save(getattr(checkpoint, name))
                        (own / f"{name}.safetensors").write_bytes(data)
            self.check_lock()
            self._prune((keep or set()) | set(self._listed()[-2:]))
        except OSError as error:
            raise write_error(
                path, error, "The checkpoints before it are untouched"
            ) from error

    def load(self, iteration: int) -> Checkpoint:
        """Loads one checkpoint.

        Raises:
            DamagedError: It is not what was written.
            BadDataError: It is another run's.
            InputMissingError: It may not be read.
        """
        path = self._path(iteration)
        try:
            content = sealed_folder.verify(path)
        except PermissionError as error:
            raise read_error(error.filename, error) from error
        try:
            if content["iteration"] != iteration:
                raise ValueError(f"is of iteration {content['iteration']}")
            loaded = Checkpoint(
                iteration=iteration,
                weights=load_file(path / "weights.safetensors"),
                optimizer=load_file(path / "optimizer.safetensors"),
                state=content["state"],
                identity=checked(content["identity"], Identity, "identity"),
            )
        except (
            BadDataError,
            SafetensorError,
            KeyError,
            TypeError,
            ValueError,
            OSError,
        ) as error:
            raise sealed_folder.DamagedError(f"{path}: {error}") from error
        if self.identity and (
            differences := self.identity.differences(loaded.identity)
        ):
            raise BadDataError(
                f"{path}: belongs to another run than the folder it is in; put"
                " that run's own back. What differs:",
                *(f"  {line}" for line in differences),
            )
        return loaded

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that verifies; `None` if there never was one.

        This is for a run that goes on and holds its lock: a damaged one is
        renamed to `<name>.corrupt`.

        Raises:
            BadDataError: All of them are damaged, or it is another run's.
            CannotWriteError: A damaged one cannot be set aside.
            InputMissingError: They may not be read.
        """
        iterations = self.iterations()
        for iteration in reversed(iterations):
            try:
                found = self.load(iteration)
            except sealed_folder.DamagedError as error:
                self._set_aside(self._path(iteration))
                self.notify(f"damaged checkpoint set aside: {error}")
                continue
            if lost := iterations[-1] - iteration:
                self.notify(
                    f"going on from iteration {iteration}: {lost} iterations "
                    "are lost"
                )
            return found
        self._refuse_damaged(iterations)
        return None

    def read(
        self, iteration: int | None = None, finished: bool = False
    ) -> Checkpoint | None:
        """The newest checkpoint or a chosen one; `None` if there never was one.

        This is for those that only read: nothing is moved, and no other
        checkpoint stands in for a damaged one.

        Args:
            iteration: The one to read; `None` for the newest.
            finished: Whether the run is, which then does not go on.

        Raises:
            BadDataError: It is damaged or another run's, or all were set
                aside.
            InputMissingError: There is none of this iteration, or it may not
                be read.
        """
        there = self.iterations()
        if iteration is None and not there:
            self._refuse_damaged(there)
            return None
        chosen = there[-1] if iteration is None else iteration
        if chosen not in there:
            raise InputMissingError(
                f"{self.folder}: has no checkpoint of iteration {chosen}."
                f" Found: {', '.join(map(str, there)) or 'nothing'}"
            )
        try:
            return self.load(chosen)
        except sealed_folder.DamagedError as error:
            which, more = "this", ""
            if iteration is None:
                if self.iterations() != there:  # the run goes on meanwhile
                    return self.read(finished=finished)
                which = "the newest"
                older = there[-2:-1]
                if not finished:
                    more = "; the command that trained the run goes on"
                    if older:
                        more += f" from an older one, {older[0]} at most"
                if older:
                    more += f"; --checkpoint {older[0]} uses an older one"
            raise BadDataError(
                f"{which} checkpoint is damaged: {error}. It is left as it"
                f" is{more}"
            ) from error

    def _refuse_damaged(self, iterations: list[int]) -> None:
        if iterations or any(self.folder.glob("*.corrupt*")):
            raise BadDataError(
                f"{self.folder}: every checkpoint is damaged; they are kept "
                "as *.corrupt. Name another folder with --out to start anew"
            )

    def _path(self, iteration: int) -> Path:
        return self.folder / checkpoint_name(iteration)

    def _prune(self, keep: set[int]) -> None:
        for iteration in set(self._listed()) - keep:
            # Renamed first: killed half-way, it is rubbish and not damage.
            rubbish = self.folder / f"{sealed_folder.TEMPORARY}{iteration}"
            os.rename(self._path(iteration), rubbish)
            shutil.rmtree(rubbish)

    def _set_aside(self, path: Path) -> None:
        self.check_lock()
        aside = path.with_name(f"{path.name}.corrupt")
        number = 1
        while aside.exists():
            number += 1
            aside = path.with_name(f"{path.name}.corrupt{number}")
        try:
            os.rename(path, aside)
        except OSError as error:
            raise write_error(aside, error) from error


def weights_sum(folder: Path, iteration: int) -> str | None:
    """SHA-256 of a checkpoint's weights; `None` if it is gone or damaged."""
    try:
        sealed = sealed_folder.read_manifest(
            folder / checkpoint_name(iteration)
        )
    except (sealed_folder.DamagedError, OSError):
        return None
    return sealed["files"].get("weights.safetensors")
