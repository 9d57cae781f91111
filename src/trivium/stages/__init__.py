"""The stages. Each takes a typed config, the products before it and a folder, and returns its product, sealed last."""

from trivium.stages.base import base_before, base_model
from trivium.stages.evaluation import audit_rewards, evaluate, how_asked, items_of
from trivium.stages.preparation import acquire, as_prepared, prepare, prepared_before, what_is_written
from trivium.stages.product import Product
from trivium.stages.training import merged, taken_up, train

__all__ = [
    "Product",
    "acquire",
    "as_prepared",
    "audit_rewards",
    "base_before",
    "base_model",
    "evaluate",
    "how_asked",
    "items_of",
    "merged",
    "prepare",
    "prepared_before",
    "taken_up",
    "train",
    "what_is_written",
]
