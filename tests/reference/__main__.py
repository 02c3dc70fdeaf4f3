"""The same training in PyTorch, to measure kresnet beside.

Run by `kresnet bench SPEC --reference tests/reference`. It answers as
`kresnet.benchmark.serving` says, and takes images, split, order and keys from
`kresnet.data` and the initial weights from the measured network; everything
else here is PyTorch and written apart from kresnet.
"""

import functools
import json
import os
import sys
from pathlib import Path

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
    from torch_path import Batches, choose
    from torch_tiny import tiny_path

    from kresnet.benchmark.serving import timed
    from kresnet.data import Order, load_dataset, split_train_validation

    job = json.loads(Path(job_file).read_text("utf-8"))
    torch.set_default_dtype(getattr(torch, job["precision"]))
    fields = job["fields"]
    data = load_dataset(fields["data"]["dataset"], job["data_dir"])
    train, _ = split_train_validation(
        len(data.train_images), fields["data"]["validation"]
    )
    batches = Batches(
        data.train_images,
        data.train_labels,
        Order(train, fields["training"]["batch_size"], job["seed"]),
    )
    weights = load_file(Path(job_file).parent / job["weights"])
    path, tried = choose(fields, batches, weights)

    @functools.cache
    def host():
        return timed(tiny_path(job["tiny_fields"], path.variant).whole)

    facts = {
        "versions": {"torch": torch.__version__},
        "hardware": {"threads": torch.get_num_threads()},
        "accelerated": torch.cuda.is_available(),
        "variant": path.variant.name,
        "tried": tried,
        **path.ceiling_counts(),
    }
    return facts, {
        **{name: timed(run) for name, run in path.parts().items()},
        "losses": lambda n: {"losses": path.whole(n)},
        "host": lambda n: host()(n),
    }


if __name__ == "__main__":
    serve(functools.partial(start, sys.argv[1]))
