"""The optimiser against NumPy."""

import keras
import numpy as np
import pytest

from kresnet.training import CoupledSGD


def reference_step(weights, velocities, gradients, rate, decays):
    """Caffe's update, in float64."""
    for name, weight in weights.items():
        gradient = gradients[name] + decays[name] * weight
        velocities[name] = 0.9 * velocities[name] - rate * gradient
        weights[name] = weight + velocities[name]


@pytest.mark.parametrize("decay_batch_norm", [False, True])
@pytest.mark.parametrize("decay_biases", [False, True])
def test_ten_steps_agree_with_numpy(decay_batch_norm, decay_biases):
    """Decay goes through the momentum, also where the rate changes."""
    generator = np.random.default_rng(0)
    names = ("kernel", "gamma", "beta", "bias")
    weights = {name: generator.normal(size=(3, 2)) for name in names}
    variables = [
        keras.Variable(weights[name], name=name, dtype="float64")
        for name in names
    ]
    velocities = {name: np.zeros((3, 2)) for name in names}
    decays = {
        "kernel": 0.01,
        "gamma": 0.01 * decay_batch_norm,
        "beta": 0.01 * decay_batch_norm,
        "bias": 0.01 * decay_biases,
    }
    optimizer = CoupledSGD(
        0.1,
        momentum=0.9,
        decay=0.01,
        decay_batch_norm=decay_batch_norm,
        decay_biases=decay_biases,
    )
    for step in range(10):
        rate = 0.1 if step < 5 else 0.01
        optimizer.learning_rate = rate
        gradients = {name: generator.normal(size=(3, 2)) for name in names}
        optimizer.apply(
            [keras.ops.convert_to_tensor(gradients[n]) for n in names],
            variables,
        )
        reference_step(weights, velocities, gradients, rate, decays)

    for name, variable in zip(names, variables, strict=True):
        # The learning rate itself is a float32 variable.
        np.testing.assert_allclose(variable, weights[name], atol=3e-7)


def test_decay_is_ten_times_as_strong_as_the_decoupled_one_of_keras():
    """At momentum 0.9 and no gradient, in the long run: 1 / (1 - 0.9)."""
    ours = keras.Variable(1.0, name="kernel")
    theirs = keras.Variable(1.0, name="kernel")
    coupled = CoupledSGD(0.01, momentum=0.9, decay=0.01)
    decoupled = keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=0.01)
    for _ in range(300):
        coupled.apply([keras.ops.zeros(())], [ours])
        decoupled.apply([keras.ops.zeros(())], [theirs])

    ratio = np.log(float(ours)) / np.log(float(theirs))
    assert 9 < ratio < 10


def test_in_float64_momentum_and_decay_are_what_they_say():
    """0.9 and 1e-4 have no float32: through it they were off by 2e-8."""
    variable = keras.Variable(1.0, name="kernel", dtype="float64")
    optimizer = CoupledSGD(0.5, momentum=0.9, decay=1e-4)
    weight, velocity = 1.0, 0.0
    for _ in range(3):
        optimizer.apply([keras.ops.zeros((), "float64")], [variable])
        velocity = 0.9 * velocity - 0.5 * 1e-4 * weight
        weight += velocity

    assert 1 - float(variable) == pytest.approx(1 - weight, rel=1e-12)


# Prints a weight after three steps of Nesterov's momentum, gradients 1, 2, 3.
NESTEROV = """
import keras
from kresnet.training import CoupledSGD

keras.config.set_floatx("float64")
variable = keras.Variable(1.0, name="kernel", dtype="float64")
optimizer = CoupledSGD(0.5, momentum=0.9, decay=1e-4, nesterov=True)
for gradient in (1.0, 2.0, 3.0):
    gradient = keras.ops.convert_to_tensor(gradient, "float64")
    optimizer.apply([gradient], [variable])
print(repr(float(variable)))
"""


def nesterov_by_hand():
    """W ← w - (m · v + lr · g) with the new v, of v ← m · v + lr · g."""
    weight, velocity = 1.0, 0.0
    for gradient in (1.0, 2.0, 3.0):
        gradient += 1e-4 * weight
        velocity = 0.9 * velocity + 0.5 * gradient
        weight -= 0.9 * velocity + 0.5 * gradient
    return weight


def test_nesterov_s_momentum_is_that_of_its_formula(capsys):
    before = keras.config.floatx()
    exec(NESTEROV, {})
    keras.config.set_floatx(before)

    weight = float(capsys.readouterr().out)
    assert weight == pytest.approx(nesterov_by_hand(), rel=1e-12)


def test_so_it_is_on_jax(on_jax):
    pytest.importorskip("jax")

    wide = "import jax\njax.config.update('jax_enable_x64', True)\n"
    weight = float(on_jax(wide + NESTEROV))
    assert weight == pytest.approx(nesterov_by_hand(), rel=1e-12)


def test_a_negative_decay_is_refused():
    with pytest.raises(ValueError, match="decay=-1"):
        CoupledSGD(0.1, decay=-1)


def test_its_configuration_makes_an_equal_optimiser():
    optimizer = CoupledSGD(0.2, 0.8, 1e-3, True, True)

    again = CoupledSGD.from_config(optimizer.get_config())

    assert again.get_config() == optimizer.get_config()


def test_the_norm_of_the_whole_gradient_is_bounded_before_the_decay():
    """Clipped to 1 from 13: 3, 4 and 12 become a thirteenth; then decay."""
    variables = [
        keras.Variable([2.0, 2.0], name="kernel"),
        keras.Variable(1.0, name="bias"),
    ]
    gradients = [keras.ops.array([3.0, 4.0]), keras.ops.array(12.0)]
    optimizer = CoupledSGD(1.0, momentum=0.0, decay=0.5, global_clipnorm=1.0)

    optimizer.apply(gradients, variables)

    kernel, bias = (np.asarray(variable) for variable in variables)
    np.testing.assert_allclose(kernel, [1 - 3 / 13, 1 - 4 / 13], rtol=1e-6)
    np.testing.assert_allclose(bias, 1 - 12 / 13, rtol=1e-5)
