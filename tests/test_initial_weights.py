"""Initial weights and digests stay what they are: experiments go on from them.

The fixture was written by the version that trained the runs in results/:
`python tests/test_initial_weights.py` writes it again.
"""

import hashlib
import json
from pathlib import Path

import pytest

from kresnet import build_model, load_spec

FIXTURE = Path(__file__).parent / "fixtures" / "initial_weights.json"
NETWORKS = [
    "digits",
    *(f"plain{n}" for n in (20, 32, 44, 56, 110)),
    *(f"resnet{n}" for n in (20, 32, 44, 56, 110, 1202)),
    *(f"resnet{n}-{option}" for n in (20, 56) for option in "bc"),
]


def digest(name: str) -> str:
    """SHA-256 of paths, shapes and float32 values of the initial weights."""
    found = hashlib.sha256()
    for variable in build_model(load_spec(name).model, seed=1).weights:
        found.update(f"{variable.path} {tuple(variable.shape)}\n".encode())
        found.update(variable.numpy().astype("<f4").tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_initial_weights_with_their_paths_and_shapes_are_kept(name):
    assert digest(name) == json.loads(FIXTURE.read_text())[name]


if __name__ == "__main__":
    digests = {name: digest(name) for name in sorted(NETWORKS)}
    FIXTURE.write_text(json.dumps(digests, indent=1) + "\n")
