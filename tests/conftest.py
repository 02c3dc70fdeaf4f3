"""What several test files share."""

import pytest


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a short, finished run on digits; do not write into it."""
    import kresnet

    return kresnet.train(
        "digits",
        tmp_path_factory.mktemp("digits") / "run",
        overrides=[
            "training.iterations=60",
            "training.learning_rate.at=[30,45]",
            "training.evaluate_every=15",
        ],
    )
