"""The same training in PyTorch, to measure kresnet beside.

Run by `kresnet bench SPEC --reference tests/reference`. It answers as
`kresnet.benchmark.serving` says, and takes images, split, order and keys from
`kresnet.data` and the initial weights from the measured network; everything
else here is PyTorch and written apart from kresnet.
"""

import functools
import json
import os
import pathlib
import sys

from kresnet.benchmark.serving import serve
from kresnet.errors import InputMissingError

# Threads that wait sleep: on shared cores spinning took up to four times the
# CPU-seconds, and on quiet ones it gained nothing. Read when PyTorch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def start(job_file):
    try:
        import torch
    except ImportError as error:
        raise InputMissingError(
            "PyTorch is not installed; it is in kresnet's extra bench"
        ) from error
    from safetensors.numpy import load_file
    from torch_path import MIB, SIDE, VARIANTS, Batches, Path, choose
    from torch_tiny import tiny_path

    from kresnet.benchmark.images import measured_images
    from kresnet.benchmark.serving import CEILINGS, PARTS, timed
    from kresnet.data import Order
    from kresnet.spec import load_spec

    job = json.loads(pathlib.Path(job_file).read_text("utf-8"))
    mixed = job["precision"] == "bfloat16"  # weights stay float32
    if not mixed:
        torch.set_default_dtype(getattr(torch, job["precision"]))
    fields = job["fields"]
    file = pathlib.Path(job_file).with_name("spec.yaml")
    file.write_text(job["spec"], "utf-8")
    data, train = measured_images(load_spec(file), job["data_dir"])
    batches = Batches(
        data.train_images,
        data.train_labels,
        Order(train, fields["training"]["batch_size"], job["seed"]),
    )
    weights = load_file(job["weights"])

    @functools.cache
    def chosen():
        return choose(fields, batches, weights, mixed)

    @functools.cache
    def host():
        return tiny_path(job["tiny_fields"], chosen()[0].variant).whole

    def facts(_):
        path, tried = chosen()
        return {
            "versions": {"torch": torch.__version__},
            "hardware": {"threads": torch.get_num_threads()},
            "accelerated": torch.cuda.is_available(),
            "variant": path.variant.name,
            "tried": tried,
            "product_operations": 2 * SIDE**3,
            "copy_bytes": 2 * MIB * 2**20,
        }

    def part(name):
        return timed(lambda n: chosen()[0].parts()[name](n))

    def losses(variant):
        return lambda n: {
            "losses": Path(fields, batches, weights, variant, mixed).whole(n)
        }

    return {
        **{name: part(name) for name in (*PARTS, *CEILINGS)},
        **{f"losses, {v.name}": losses(v) for v in VARIANTS},
        "host": timed(lambda n: host()(n)),
        "facts": facts,
    }


if __name__ == "__main__":
    serve(functools.partial(start, sys.argv[1]))
