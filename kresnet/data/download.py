"""Preparing a data set with TensorFlow Datasets, where there is a network."""

import contextlib
import json
import shlex
import urllib.error
import urllib.request
from pathlib import Path

from kresnet.errors import BadDataError, InputMissingError
from kresnet.notices import notify
from kresnet.quiet_backend import quiet_import

_TIMEOUT = 10  # seconds


def download(name: str, source: str, data_dir: Path) -> None:
    """Downloads and prepares a data set below `data_dir`.

    Args:
        name: Name and version as TFDS writes them: `"cifar10:3.0.2"`.
        source: URL from which TFDS takes it.
        data_dir: Folder of TFDS data sets.

    Raises:
        InputMissingError: it cannot be downloaded, or not written there.
        BadDataError: what was downloaded is not what was published.
    """
    notify(f"downloading {name} to {data_dir}")
    try:
        _check_reachable(source)
    except OSError as error:
        raise _missing(name, data_dir, error) from error
    with quiet_import():
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.download import download_manager

    try:
        tfds.builder(name, data_dir=data_dir).download_and_prepare()
    except download_manager.NonMatchingChecksumError as error:
        raise BadDataError(f"{name}: {error}") from error
    # Whatever keeps TFDS from preparing it, the way out is the same.
    except Exception as error:
        raise _missing(name, data_dir, error) from error


def _check_reachable(source: str) -> None:
    # Without a network TFDS retries for minutes before it gives up. The
    # addresses are this module's own.
    request = urllib.request.Request(source, method="HEAD")  # noqa: S310
    # An HTTP error is an answer: TFDS reports what is wrong with it.
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=_TIMEOUT).close()  # noqa: S310


def _missing(name: str, data_dir: Path, why: Exception) -> InputMissingError:
    folder = data_dir / name.replace(":", "/")
    # An error of urllib wraps the socket's own, which reads better.
    reason = " ".join(str(getattr(why, "reason", why)).split()) or repr(why)
    # Not `tfds build`: that imports Apache Beam, which TFDS does not install.
    program = (
        f"import tensorflow_datasets as tfds; tfds.builder({json.dumps(name)}, "
        f"data_dir={json.dumps(str(data_dir))}).download_and_prepare()"
    )
    return InputMissingError(
        f"{folder}: no prepared data set {name}, and it cannot be downloaded: "
        f"{reason}. Name the folder that holds it with --data-dir or "
        "KRESNET_DATA_DIR, or prepare it on a machine with a network by",
        f"  python -c {shlex.quote(program)}",
    )
