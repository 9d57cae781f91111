"""A Hugging Face directory made readable to every program: settings under their old and their new names, its stop tokens, and
a chat template without what only training needs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.models.mlx import rope_keys
from trivium.models.quiet import quiet

CONFIG, GENERATION, TOKENIZER = "config.json", "generation_config.json", "tokenizer_config.json"
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
"""Settings that mean something only where answers are drawn at random."""


def complete(folder: Path) -> None:
    """Rewrite the settings in a model directory; the weights are left alone.

    `config.json` gets `rope_parameters` beside `rope_theta` and `rope_scaling`, and `torch_dtype` beside `dtype`;
    `generation_config.json` answers greedily and stops at every token that ends a turn; the chat template loses its
    `{% generation %}` tags and is found where programs of any age look for it.
    """
    from transformers import AutoConfig, AutoTokenizer

    with quiet():
        full = AutoConfig.from_pretrained(folder).to_dict()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    config = _both_names(read(folder / CONFIG), full)
    write(folder / CONFIG, config)
    write(folder / GENERATION, _greedy(folder, config, tokenizer))
    _write_tokenizer(folder, tokenizer)


def stop_ids(folder: Path, tokenizer: Any) -> list[int]:
    """Ids of the tokens that end a turn: the tokenizer's own, and those of the generation settings."""
    settings = read(folder / GENERATION) if (folder / GENERATION).is_file() else read(folder / CONFIG)
    return sorted({tokenizer.eos_token_id, *_listed(settings.get("eos_token_id"))} - {None})


def dtype_of(folder: Path) -> str:
    """The type of a model directory's weights, as its settings have it."""
    config = read(folder / CONFIG)
    return str(config.get("dtype") or config.get("torch_dtype") or "float32")


def read(path: Path) -> dict[str, Any]:
    """A JSON object."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON object, as Transformers writes it."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _both_names(config: dict[str, Any], full: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `rope_parameters` as Transformers reads them, and the older keys, those that stand there already first."""
    if full.get("rope_parameters"):
        config = {**rope_keys(full), **config, "rope_parameters": full["rope_parameters"]}
    if "dtype" in config:
        config["torch_dtype"] = config["dtype"]
    parts = {name: part for name, part in config.items() if isinstance(part, dict) and isinstance(full.get(name), dict)}
    return {**config, **{name: _both_names(part, full[name]) for name, part in parts.items() if name != "rope_parameters"}}


def _greedy(folder: Path, config: Mapping[str, Any], tokenizer: Any) -> dict[str, Any]:
    settings = read(folder / GENERATION) if (folder / GENERATION).is_file() else {}
    kept = {name: value for name, value in settings.items() if name not in _SAMPLING}
    ends = stop_ids(folder, tokenizer)
    kept |= {"do_sample": False, "eos_token_id": ends[0] if len(ends) == 1 else ends, "pad_token_id": tokenizer.pad_token_id}
    if kept.get("bos_token_id") is None and config.get("bos_token_id") is not None:
        kept["bos_token_id"] = config["bos_token_id"]
    return kept


def _write_tokenizer(folder: Path, tokenizer: Any) -> None:
    """The tokenizer's files; the template stands in `tokenizer_config.json` too, and what Transformers 5 renamed as before."""
    from trivium.export.template import without_generation_tags

    template = tokenizer.chat_template
    plain = (
        {name: without_generation_tags(text) for name, text in template.items()}
        if isinstance(template, dict)
        else without_generation_tags(template)
    )
    tokenizer.chat_template = plain
    with quiet():
        tokenizer.save_pretrained(folder)
    settings = read(folder / TOKENIZER)
    settings["chat_template"] = plain if isinstance(plain, str) else _named(plain)
    if settings.get("tokenizer_class") == "TokenizersBackend":
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(settings.get("extra_special_tokens"), list):
        settings["additional_special_tokens"] = settings.pop("extra_special_tokens")
    write(folder / TOKENIZER, settings)


def _named(templates: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "template": text} for name, text in templates.items()]


def _listed(value: int | list[int] | None) -> list[int | None]:
    return value if isinstance(value, list) else [value]  # type: ignore[return-value]
