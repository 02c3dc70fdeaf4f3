"""Initial weights and digests stay what they are: experiments go on from them.

The fixture was written by the version that trained the runs in results/:
`python tests/test_initial_weights.py` writes it again.
"""

import hashlib
import json
from pathlib import Path

import pytest

from kresnet import build_model, load_spec
from kresnet.spec import shipped_specs

FIXTURE = Path(__file__).parent / "fixtures" / "initial_weights.json"
# One of each network: arms of a comparison differ in their transforms only.
NETWORKS = {
    json.dumps(load_spec(name).model.model_dump(mode="json")): name
    for name in reversed(shipped_specs())
}


def digest(name: str) -> str:
    """SHA-256 of paths, shapes and float32 values of the initial weights."""
    found = hashlib.sha256()
    for variable in build_model(load_spec(name).model, seed=1).weights:
        found.update(f"{variable.path} {tuple(variable.shape)}\n".encode())
        found.update(variable.numpy().astype("<f4").tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("name", sorted(NETWORKS.values()))
def test_initial_weights_with_their_paths_and_shapes_are_kept(name):
    assert digest(name) == json.loads(FIXTURE.read_text())[name]


if __name__ == "__main__":
    digests = {name: digest(name) for name in sorted(NETWORKS.values())}
    FIXTURE.write_text(json.dumps(digests, indent=1) + "\n")
