"""Silence for the libraries underneath, for as long as a block lasts and no longer."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_CHATTY = (
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "huggingface_hub",
    "sentence_transformers",
    "spacy",
    "torch",
    "bitsandbytes",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Progress bars off and only errors logged by the Hugging Face libraries; everything is as before afterwards."""
    import datasets  # type: ignore[import-untyped]
    from transformers.utils import logging as hf_logging

    loggers = {name: logging.getLogger(name) for name in _CHATTY}
    levels = {name: logger.level for name, logger in loggers.items()}
    bars, dataset_bars = hf_logging.is_progress_bar_enabled(), datasets.is_progress_bar_enabled()
    for logger in loggers.values():
        logger.setLevel(logging.ERROR)
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
        if bars:
            hf_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        if dataset_bars:
            datasets.enable_progress_bars()
