"""Blocks of all families train the same on both backends and on two devices.

In float64 and on virtual CPU devices, as in test_devices_invariance.py: three
iterations, losses to a relative 1e-12, weights to 1e-10 of the largest in
their array. One network has several kinds of blocks, since compiling costs
most.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

SPEC = """
name: {name}
model:
  input: [8, 8, 1]
  {model}
  classes: 10
data:
  dataset: digits
  validation: 0
  transforms: [{{layer: rescale, divide_by: 16}}]
training:
  batch_size: 32
  iterations: 3
  learning_rate: {{start: 0.05, divide_by: 10, at: []}}
  momentum: 0.9
  nesterov: true
  weight_decay: 1e-3
"""
NORM = "{images_per_statistic: 8, momentum: 0.9, epsilon: 1e-5}"
NETWORKS = {
    "gates": f"""stem:
    {{kernel: 3, width: 4, stride: 1,
     pool: {{kernel: 3, stride: 2, padding: even}}}}
  stages:
    - {{block: basic, shortcut: A, blocks: 1, width: 4, stride: 1,
       gate: {{on: both, kernel: 3, bias: -1}}, shortcut_dropout: 0.2}}
    - {{block: bottleneck, shortcut: B, stride_in: 1x1, blocks: 1, width: 4,
       output: 8, stride: 2, groups: 2, order: norm_after_addition,
       scale: {{shortcut: 0.5, residual: 0.7}}}}
  batch_norm: {NORM}
  survival: 0.7""",
    "preactivation": f"""stem:
    {{kernel: 3, width: 4, stride: 1, activation: false}}
  stages:
    - {{block: basic, shortcut: B, blocks: 1, width: 8, stride: 1,
       order: full_preactivation, dropout: 0.3}}
    - {{block: bottleneck, shortcut: B, stride_in: 3x3, blocks: 2, width: 4,
       output: 8, stride: 1, dilation: 2, order: full_preactivation}}
  batch_norm: {NORM}""",
    "vgg": """stem: null
  stages:
    - {block: convolutions, layers: 2, width: 4, pool: {kernel: 2, stride: 2}}
  head: {dense: [12, 8], dropout: 0.5}
  batch_norm: null""",
    "fixup": """stem: {kernel: 3, width: 4, stride: 1}
  stages:
    - {block: basic, shortcut: C, blocks: 2, width: 4, stride: 2}
  batch_norm: null
  initialisation: fixup""",
}
# Keras' group norm computes in float32.
ROUNDED = {
    "group": """stem: {kernel: 3, width: 4, stride: 1}
  stages:
    - {block: basic, shortcut: A, blocks: 1, width: 4, stride: 2,
       order: relu_before_addition}
  batch_norm: null
  group_norm: {channels: 2}""",
}
PROGRAM = """
import pathlib
import sys
import keras
import kresnet

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
home = pathlib.Path(sys.argv[1])
for devices in sys.argv[2:]:
    for spec in sorted(home.glob("*.yaml")):
        out = spec.with_suffix("") / keras.backend.backend() / devices
        kresnet.train(spec, out, devices=devices)
"""
SHORT = {"tensorflow": ["cpu:2"], "jax": ["cpu"]}
WHOLE = {"tensorflow": ["cpu:2", "cpu"], "jax": ["cpu:2", "cpu"]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, whole_form):
    """The folder of the specs, with the runs of each below it."""
    home = tmp_path_factory.mktemp("families")
    for name, model in (NETWORKS | ROUNDED).items():
        text = SPEC.format(name=name, model=model)
        (home / f"{name}.yaml").write_text(text, "utf-8")
    for backend, places in (WHOLE if whole_form else SHORT).items():
        program = [sys.executable, "-c", PROGRAM, str(home), *places]
        surroundings = os.environ | {
            "KERAS_BACKEND": backend,
            "JAX_ENABLE_X64": "1",
        }
        subprocess.run(program, env=surroundings, check=True, timeout=600)
    return home


def read(run):
    """The losses of all iterations, and the weights at the end."""
    table = np.genfromtxt(run / "losses.csv", delimiter=",", names=True)
    (last,) = run.glob("checkpoints/*3")
    return np.array(table["loss"]), load_file(last / "weights.safetensors")


@pytest.mark.parametrize("name", [*NETWORKS, *ROUNDED])
def test_losses_and_weights_agree(trained, name):
    runs = sorted(trained.glob(f"{name}/*/*"))
    first_losses, first_weights = read(runs[0])
    loose = 1e4 if name in ROUNDED else 1

    assert len(runs) > 1
    assert len(first_losses) == 3
    for run in runs[1:]:
        losses, weights = read(run)
        np.testing.assert_allclose(losses, first_losses, rtol=1e-12 * loose)
        for key, array in first_weights.items():
            bound = 1e-10 * loose * max(np.abs(array).max(), 1e-3)
            np.testing.assert_allclose(
                weights[key], array, rtol=0, atol=bound, err_msg=key
            )
