"""The model, its adapter and the models that rewards ask."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from trivium.errors import ModelError
from trivium.schema import Config, LoraAdapter


def heads_divide_width(config: Config) -> Iterator[str]:
    """The embedded model can be built."""
    build = config.model.build
    if config.model.path is None and build.hidden_size % build.num_attention_heads:
        yield (
            f"model.build.hidden_size={build.hidden_size} is not a multiple of "
            f"model.build.num_attention_heads={build.num_attention_heads}; change one of them."
        )


def model_exists(config: Config) -> Iterator[str]:
    """A local model is there, and so is its template; the shape of a random one is told."""
    path, template = config.model.path, config.model.chat_template
    if config.model.init == "random":
        yield from _shape_is_told(config)
    elif path == "":
        yield "model.path: not set; give a Hugging Face model directory or a hub id: model=hf model.path=owner/name."
    elif path is not None and path.startswith(("/", ".", "~")) and not Path(path).expanduser().is_dir():
        yield f"model.path: {path} is not a directory; give a Hugging Face model directory or a hub id such as owner/name."
    if template is not None and not Path(template).is_file():
        yield f"model.chat_template: {template} is not a file; give a Jinja file or null for the tokenizer's own."


def _shape_is_told(config: Config) -> Iterator[str]:
    shape = config.model.shape
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    told = {**asdict(shape), "model_type": shape.model_type or 0}
    if missing := [name for name in ("model_type", *sizes) if not told[name]]:
        yield f"model.init=random needs model.shape.{missing[0]}; set it, or choose a model whose option tells its shape."


def blocks_are_named(config: Config) -> Iterator[str]:
    """Adapters on some blocks name their modules."""
    adapter = config.adapter
    if isinstance(adapter, LoraAdapter) and adapter.num_layers is not None and isinstance(adapter.target_modules, str):
        yield (
            f"adapter.num_layers={adapter.num_layers} needs the modules by name; set adapter.target_modules, for example "
            "[q_proj,k_proj,v_proj,o_proj]."
        )


def model_folder_is_whole(config: Config) -> Iterator[str]:
    """A local model has what loading it takes."""
    path = config.model.path
    if path and Path(path).expanduser().is_dir() and config.task != "plan":  # which reads config.json alone
        from trivium.models.load import require_chat_template, require_files

        try:
            require_files(path)
            if config.model.chat_template is None:
                require_chat_template(path)
        except ModelError as error:
            yield f"model.path: {error}"


def scorers_are_there(config: Config) -> Iterator[str]:
    """Local models that rewards ask are there."""
    for group in ("scorers", "gold_scorers"):
        for name in ("nli", "embeddings", "syntax"):
            path = getattr(getattr(config.reward, group), name).path
            if path is not None and path.startswith(("/", ".", "~")) and not Path(path).expanduser().is_dir():
                yield f"reward.{group}.{name}.path: {path} is not a directory; give a model directory, a hub id, or null."
