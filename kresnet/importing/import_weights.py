"""Imports weights of another program: a folder that is used like a run."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from kresnet import sealed_folder
from kresnet.architecture import StageFields, inventory
from kresnet.errors import CannotWriteError, SpecError, write_error
from kresnet.files import open_plain_file
from kresnet.importing.fit import Fitted, Match, fit, read_finite
from kresnet.importing.namings import NAMINGS
from kresnet.importing.recognise import recognise, refuse_misfit
from kresnet.importing.transforms import about_view, with_constants
from kresnet.machine.surroundings import check_floatx
from kresnet.network import build_transforms
from kresnet.records.imported import IMPORT, WEIGHTS, ImportedFile, ImportRecord
from kresnet.records.typed_file import as_json
from kresnet.spec import Spec, dump_spec, load_spec, recipe_digest
from kresnet.weight_files import Listing, open_files, with_shards

Notify = Callable[[str], None]


def import_weights(
    files: Sequence[str | os.PathLike[str]],
    spec: Spec | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    naming: str | None = None,
    prefix: str | None = None,
    classifier: bool = True,
    channels: int | None = None,
    notify: Notify = lambda line: None,
    stages: Sequence[type[StageFields]] = (),
) -> ImportRecord:
    """Reads weights of another program into the network of a spec.

    The folder holds the spec as it is used, the arrays, their sums, and
    import.json: what was read, folded and assumed. `open_trained` opens it.

    Args:
        files: Files of weights, read as data; see `open_files`.
        spec: The network, or where its spec is; it decides what no file says,
            such as where a stride stands.
        out: The folder to make.
        overrides: Changes of the spec, as of `load_spec`.
        naming: Whose names the arrays have; `None` to find out.
        prefix: What stands before every name; `None` to find out.
        classifier: Whether the classifier is taken. A network without cannot
            be evaluated, and a run can begin with it.
        channels: Channels of the images, if the files' first kernels take
            another number: these are summed.
        notify: Is told what was assumed, in words.
        stages: Kinds of stages of your own; see `load_spec`.

    Returns:
        What import.json says.

    Raises:
        SpecError: Names or shapes do not fit, or an argument is wrong.
        BadDataError: A file is damaged, or holds numbers that are none.
        InputMissingError: A file is not there.
        CannotWriteError: `out` exists or cannot be written.
        DiskFullError: The disk is full. In no case is anything written.
    """
    check_floatx()
    if naming is not None and naming not in NAMINGS:
        raise SpecError(
            f"--naming: must be one of {', '.join(NAMINGS)}. Received: {naming}"
        )
    if not files:
        raise SpecError("FILE: must be at least one file of weights")
    out = Path(out)
    if os.path.lexists(out):
        raise CannotWriteError(
            f"{out}: exists and is not overwritten; name another folder with"
            " --out"
        )
    if not isinstance(spec, Spec):
        spec = load_spec(spec, overrides, notify, stages=stages)
    if channels is not None and channels != spec.model.input[2]:
        raise SpecError(
            f"--channels: must be {spec.model.input[2]}, the channels of"
            f" {spec.name}'s images. Received: {channels}"
        )
    with open_files(files) as held:
        best = recognise(
            spec.model,
            held,
            naming,
            prefix,
            classifier=classifier,
            channels=channels is not None,
        )
        refuse_misfit(best, held, spec.name)
        used, origin = with_constants(spec, best.naming)
        fitted = fit(best, held)
        statistics = _statistics(used, best, held)
    zeros = _zeros(used, fitted)
    arrays = {**statistics, **fitted.arrays, **zeros}
    record = _record(files, used, best, fitted, arrays, origin, classifier)
    _write(out, used, record, arrays)
    for line in best.naming.odd(used.model):
        notify(f"warning: {line}")
    return record


def _statistics(
    spec: Spec, best: Match, held: Listing
) -> dict[str, np.ndarray]:
    """The weights of transforms: constants, or the file's if it is ours."""
    found, missing = {}, []
    layers = build_transforms(spec.data, spec.model.input)
    for layer, fields in zip(layers, spec.data.transforms, strict=True):
        for variable in layer.weights:
            name = best.prefix + variable.path
            there = held.get(name)
            if not fields.is_adapted:
                found[variable.path] = np.asarray(variable)
            elif there is None or there.shape != tuple(variable.shape):
                missing.append(name)
            else:
                found[variable.path] = read_finite(there, name)
    if missing:
        raise SpecError(
            f"{spec.name}: the files have no {', '.join(missing)}; the spec"
            " must give constants, such as --set data.transforms=[{layer:"
            " channel_mean, mean: [125, 123, 114]}]"
        )
    return found


def _zeros(spec: Spec, fitted: Fitted) -> dict[str, np.ndarray]:
    """What stands for layers of which the files had nothing."""
    return {
        name: np.zeros(shape, "float32")
        for part in inventory(spec.model)
        for array, shape in part.shapes.items()
        if (name := f"{part.name}/{array}") not in fitted.arrays
    }


def _record(
    files, spec, best, fitted, arrays, origin, classifier
) -> ImportRecord:
    read = (
        ImportedFile(name=file.name, sha256=_sum(file))
        for file in with_shards(files)
    )
    drawn = {n.partition("/")[0] for n in arrays} - {
        n.partition("/")[0] for n in fitted.arrays
    }
    layers = {part.name for part in inventory(spec.model)}
    return ImportRecord(
        kresnet_import=1,
        recipe=recipe_digest(spec),
        weights=hashlib.sha256(save(arrays)).hexdigest(),
        files=tuple(read),
        naming=best.naming.name,
        prefix=best.prefix,
        arrays={name: tuple(of) for name, of in fitted.sources.items()},
        changes=tuple(fitted.notes),
        left_over=best.left,
        drawn=tuple(sorted(drawn & layers)),
        assumed=tuple(best.naming.assumed(spec.model)),
        transforms=origin,
        view=about_view(spec),
        has_classifier=classifier,
    )


def _sum(file: Path) -> str:
    with open_plain_file(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _write(out: Path, spec: Spec, record: ImportRecord, arrays) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with sealed_folder.create(out, {"kresnet_import": 1}) as own:
            (own / "spec.yaml").write_text(dump_spec(spec), encoding="utf-8")
            (own / IMPORT).write_text(as_json(record), encoding="utf-8")
            (own / WEIGHTS).write_bytes(save(arrays))
    except OSError as error:
        raise write_error(out, error) from error
