"""Images, their split, and the order in which a run sees them."""

from kresnet.data.dataset import Dataset
from kresnet.data.load import load_dataset
from kresnet.data.order import Order
from kresnet.data.split import split_train_validation

__all__ = ["Dataset", "Order", "load_dataset", "split_train_validation"]
