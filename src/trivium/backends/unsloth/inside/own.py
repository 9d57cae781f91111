"""The trainers of Transformers and TRL as they are without Unsloth.

What is trained, in which steps and with which settings is this project's own business, and the same with every backend; from
Unsloth comes the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager


def own_arguments() -> None:
    """Take settings as they are given: on the CPU Unsloth chooses another optimiser and precision than was set."""
    from transformers import TrainingArguments
    from trl import GRPOConfig, SFTConfig

    for arguments in (TrainingArguments, SFTConfig, GRPOConfig):
        own = getattr(arguments.__post_init__, "__wrapped__", arguments.__post_init__)
        arguments.__post_init__ = own  # type: ignore[method-assign]


@contextmanager
def own_trainer() -> Iterator[None]:
    """Undo what is done to Transformers' `Trainer` meanwhile: Unsloth changes it as it loads a model."""
    from transformers import Trainer

    before = dict(vars(Trainer))
    try:
        yield
    finally:
        for name in {*vars(Trainer)} - {*before}:
            delattr(Trainer, name)
        for name, value in before.items():
            if vars(Trainer)[name] is not value:
                setattr(Trainer, name, value)
