"""Directories for MLX-LM, plain and quantised, and the adapter in its layout, for `mlx_lm.generate --adapter-path`."""

import io
import re
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from trivium.errors import ConfigError
from trivium.export import hf_config, mlx_runtime
from trivium.export.job import Job
from trivium.export.kinds.merged import precision
from trivium.export.runtime import Variant
from trivium.models import mlx
from trivium.models.checks import explained
from trivium.models.load import ADAPTER_DIR
from trivium.models.low_rank import scaling
from trivium.models.merge import model_folder
from trivium.models.quiet import quiet
from trivium.models.shards import Entry, shards
from trivium.schema import ExportConfig

PLAIN, ADAPTER = "plain", "adapter"
WEIGHTS, CONFIG = "adapters.safetensors", "adapter_config.json"
_GROUPS = (128, 64, 32)
_IN_LAYER = re.compile(r"^.*?\.\d+\.")
"""What stands before the name of a module within its layer."""


def needs(config: ExportConfig) -> tuple[str, ...]:
    """It is converted from the merged model."""
    return ("merged",)


def make(job: Job, out: Path, made: Mapping[str, Path]) -> Mapping[str, Any]:
    """`plain/`, `8bit/` and `4bit/` as set, and `adapter/` where the run has one.

    Raises `ConfigError` without MLX or where a width cannot be quantised in groups, `ModelError` for an architecture that
    MLX-LM does not know.
    """
    mlx.library()
    settings = job.config.export.mlx
    _require_groups(made["merged"], settings.group_size if settings.bits else 1)
    _convert(made["merged"], out / PLAIN)
    for bits in settings.bits:
        _convert(made["merged"], out / f"{bits}bit", quantize=True, q_bits=bits, q_group_size=settings.group_size)
    if (job.run / ADAPTER_DIR).is_dir():
        (out / ADAPTER).mkdir()
        write_adapter(job.run / ADAPTER_DIR, made["merged"], out / ADAPTER)
    return {"bits": settings.bits, "group_size": settings.group_size}


def variants(job: Job, folder: Path, made: Mapping[str, Path]) -> list[Variant]:
    """Every directory in MLX-LM."""
    kinds = {PLAIN: precision(job, made["merged"]), **{f"{bits}bit": f"mlx_{bits}bit" for bits in job.config.export.mlx.bits}}
    found = [
        Variant(f"mlx/{name}", kind, _files(folder / name), partial(mlx_runtime.whole, job, folder / name))
        for name, kind in kinds.items()
    ]
    if (folder / ADAPTER).is_dir():
        opened = partial(mlx_runtime.adapted, job, folder / ADAPTER)
        of_base = precision(job, model_folder(job.config.model, job.base))
        found.append(Variant(f"mlx/{ADAPTER}", of_base, _files(folder / ADAPTER), opened))
    return found


def write_adapter(peft: Path, merged: Path, out: Path) -> None:
    """A PEFT adapter as MLX-LM's trainer would have written it; the numbers are the same to the last bit.

    Raises `ModelError` for one that is not plain LoRA.
    """
    import mlx.core as mx

    config, tensors = mlx.read_adapter(peft)
    renamed = {name: mx.contiguous(tensor) for name, tensor in mlx.to_mlx(tensors).items()}
    mx.save_safetensors(str(out / WEIGHTS), renamed, {"format": "mlx"})
    keys = sorted({_IN_LAYER.sub("", name.rpartition(".")[0]) for name in renamed})
    parameters = {"rank": config["r"], "scale": scaling(config, config["r"]), "dropout": 0.0, "keys": keys}
    settings = {"fine_tune_type": "lora", "num_layers": _count_layers(merged), "lora_parameters": parameters}
    hf_config.write(out / CONFIG, settings)


def _convert(merged: Path, out: Path, **options: Any) -> None:
    """MLX-LM's own conversion, silenced, with the settings and the tokenizer of the merged model."""

    def sentence(reason: str) -> str:
        return f"MLX-LM could not convert the merged model ({reason}); it may not know the architecture: leave export=mlx out."

    with quiet(), explained(sentence), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        mlx.library("convert").convert(str(merged), str(out), **options)
    (out / "README.md").unlink(missing_ok=True)
    for path in merged.iterdir():
        if path.name.startswith(("tokenizer", "chat_template", "special_tokens")):
            shutil.copyfile(path, out / path.name)


def _require_groups(merged: Path, size: int) -> None:
    """Layers of other widths would stay as they are, without a word."""
    odd = sorted({entry.shape[-1] for entry in _matrices(merged) if entry.shape[-1] % size})
    if not odd:
        return
    fitting = [group for group in _GROUPS if not any(width % group for width in odd)]
    way = f"set export.mlx.group_size={fitting[0]}" if fitting else "set export.mlx.bits=[], which leaves the plain copy"
    raise ConfigError(f"export.mlx.group_size={size} does not divide the width {odd[0]} of this model's layers; {way}.")


def _matrices(merged: Path) -> list[Entry]:
    return [entry for shard in shards(merged) for entry in shard.entries if len(entry.shape) == 2]


def _count_layers(merged: Path) -> int:
    config = hf_config.read(merged / hf_config.CONFIG)
    return int({**config, **config.get("text_config", {})}["num_hidden_layers"])


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json", ".jinja")))
