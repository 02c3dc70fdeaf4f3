"""Seeds are integers in [0, 2**63), wherever one is taken."""

import numpy as np
import pytest

import kresnet
from kresnet.benchmark import bench
from kresnet.data import Order
from kresnet.errors import SpecError
from kresnet.network.he_normal import HeNormal
from kresnet.spec import load_spec

WRONG = [-1, 2**63, 1.5, 1.0, True, "1", np.int64(-1), np.array([1, 2])]


@pytest.mark.parametrize("seed", WRONG)
def test_a_wrong_seed_is_refused_with_what_came(seed, tmp_path):
    for take in (
        lambda: kresnet.build_model(load_spec("digits").model, seed),
        lambda: HeNormal(seed),
        lambda: Order(np.arange(4), 2, seed),
    ):
        with pytest.raises(ValueError, match=r"`seed` must be.* Received: "):
            take()
    for command in (
        lambda: kresnet.train("digits", tmp_path / "run", seed=seed),
        lambda: bench("digits", seed=seed),
    ):
        with pytest.raises(SpecError, match=r"--seed: .*must be.* Received: "):
            command()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_numpy_s_integers_are_seeds_like_python_s(seed):
    got, want = HeNormal(np.uint64(seed)), HeNormal(seed)

    assert got.get_config() == want.get_config()
    assert type(got.get_config()["seed"]) is int
    np.testing.assert_array_equal(got((3, 4)), want((3, 4)))
