"""Images, their split, and the order in which a run sees them."""

from kresnet.data.feed import Feed
from kresnet.data.open import load_dataset, open_source
from kresnet.data.order import Order, split_train_validation
from kresnet.data.source import Images, Source

__all__ = [
    "Feed",
    "Images",
    "Order",
    "Source",
    "load_dataset",
    "open_source",
    "split_train_validation",
]
