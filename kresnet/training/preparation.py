"""What a run begins with, the same on every process that trains it."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np

from kresnet.data import (
    Dataset,
    Order,
    load_dataset,
    split_train_validation,
)
from kresnet.machine.facts import keep_compiled_programs, make_deterministic
from kresnet.machine.place import Placement
from kresnet.records.identity import Identity
from kresnet.spec import DATASETS, Spec, spec_digest
from kresnet.training.assembly import Assembly, assemble
from kresnet.training.options import Options
from kresnet.training.team import Agreement, told


@dataclasses.dataclass(frozen=True)
class Preparation:
    """Data and models of a run.

    Attributes:
        data: The data set.
        train_indices: Positions of the training split.
        held_out: Those of the validation images.
        order: Of the training images.
        assembly: The models, with initial weights.
        agreement: With the other processes; `None` where there are none.
    """

    data: Dataset
    train_indices: np.ndarray
    held_out: np.ndarray
    order: Order
    assembly: Assembly
    agreement: Agreement | None

    def train_images(self) -> np.ndarray:
        """Copies the training split."""
        return self.data.train_images[self.train_indices]


def prepare(
    spec: Spec,
    identity: Identity,
    options: Options,
    placement: Placement,
    notify: Callable[[str], None],
    accept: Callable[[Dataset], None] = lambda data: None,
) -> Preparation:
    """Loads the data and builds the models; all processes at the same time.

    Args:
        spec: What to run.
        identity: The same with its seed, the data not known yet.
        options: How to run.
        placement: The devices to run on.
        notify: Told what is going on.
        accept: Called with the data before anything is built. What it raises
            ends the other processes too, with the same exit code.

    Raises:
        KresnetError: The data are missing or damaged, were not accepted, or
            another process said so of itself.
        SpecError: The processes do not train the same.
    """
    seed = identity.seed
    make_deterministic(seed)
    keep_compiled_programs()
    training = spec.training
    agreement = None
    if team := placement.team:
        agreement = Agreement(team)
    notify(f"loading {DATASETS[spec.data.dataset].title}")
    with told(agreement):
        data = load_dataset(spec.data.dataset, options.data_dir)
        accept(data)
        if agreement:
            # With other options, or rows at other iterations, a process would
            # end its chunks elsewhere, and all would wait for each other.
            same = identity.with_data(data.fingerprint).digest
            agreement.identity = json.dumps(
                [same, spec_digest(spec), options.shared]
            )
    train_indices, held_out = split_train_validation(
        len(data.train_images), spec.data.validation
    )
    notify(f"building {spec.name}, seed {seed}")
    assembly = assemble(
        spec,
        seed,
        options.precision,
        options.rematerialize,
        placement.scope,
    )
    order = Order(train_indices, training.batch_size, seed)
    return Preparation(
        data, train_indices, held_out, order, assembly, agreement
    )
