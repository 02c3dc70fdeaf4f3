"""Which experiments and which network of the papers a spec is."""

import functools

from kresnet.architecture import ModelSpec
from kresnet.explain.experiments import Experiments, Printed
from kresnet.explain.he2015 import CIFAR10, IMAGENET
from kresnet.explain.he2016 import IDENTITY_MAPPINGS
from kresnet.explain.vgg2014 import VGG
from kresnet.spec import DATASETS, Spec, load_spec


def experiments_of(spec: Spec) -> Experiments:
    """The experiments that a spec is to be compared with.

    ResNet-110 is in both papers: the second starts it with 400 iterations.
    """
    if spec.data.facts.photos:
        kinds = {stage.kind for stage in spec.model.stages}
        return VGG if kinds == {"convolutions"} else IMAGENET
    fixed = spec.training.warm_up and spec.training.warm_up.iterations
    first, later = (
        shape_known(spec.model, each) for each in (CIFAR10, IDENTITY_MAPPINGS)
    )
    return IDENTITY_MAPPINGS if later and (fixed or not first) else CIFAR10


def printed_network(
    model: ModelSpec, experiments: Experiments
) -> tuple[str, Printed] | None:
    """The network of the paper that a model is, and what is printed of it.

    The numbers of batch norm may differ, which are points of their own.
    """
    return _networks(experiments, ()).get(_key(model))


def size_known(model: ModelSpec, experiments: Experiments) -> Printed | None:
    """What is printed of a network that may have other shortcuts."""
    free = ("shortcut",)
    found = _networks(experiments, free).get(_key(model, free))
    return found[1] if found else None


def shape_known(model: ModelSpec, experiments: Experiments) -> bool:
    """Whether some network of the paper has this shape.

    Shortcuts may be others, and on CIFAR-10 the number n of blocks.
    """
    pixels = DATASETS[experiments.dataset].input
    if pixels and tuple(model.input) != pixels:
        return False  # and their specs need not be read
    free = ("shortcut", "blocks") if experiments.uniform else ("shortcut",)
    return _key(model, free) in _networks(experiments, free)


@functools.cache
def _networks(
    experiments: Experiments, free: tuple[str, ...]
) -> dict[str, tuple[str, Printed]]:
    """The networks of a paper by what `_key` makes of them."""
    found: dict[str, tuple[str, Printed]] = {}
    for name, printed in experiments.networks.items():
        changes = [
            f"model.stages[{i}].{printed.change}"
            for i in range(3)
            if printed.change
        ]
        model = load_spec(printed.spec or name, changes).model
        found.setdefault(_key(model, free), (name, printed))
    return found


def _key(model: ModelSpec, free: tuple[str, ...] = ()) -> str:
    """All fields of a model that tell networks apart, as text."""
    fields = model.model_dump(mode="json", exclude_defaults=True)
    blocks = {stage.get("blocks") for stage in fields["stages"]}
    if fields["batch_norm"]:
        fields["batch_norm"] = fields["batch_norm"].get("last_scale", True)
    for stage in fields["stages"]:
        for name in free:
            if name != "blocks" or len(blocks) == 1:
                stage.pop(name, None)
    return repr(fields)
