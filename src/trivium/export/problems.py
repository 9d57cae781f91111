"""What keeps exports from being made, found out before anything is trained for them."""

from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec

from trivium.export import release
from trivium.schema import Config, FullAdapter

PACKAGES = {"gguf": ("llama_cpp", ("gguf", "gguf_lora", "ollama", "lmstudio")), "mlx": ("mlx_lm", ("mlx",))}
"""By extra: the package that it brings, and the kinds that need it."""


def problems_in(config: Config) -> Iterator[str]:
    """A sentence for every export without weights, program or permission."""
    export = config.export
    asked = [f.name for f in fields(export) if getattr(getattr(export, f.name), "enabled", False)]
    if export.hub.push and "hub" not in asked:
        yield "export.hub.push=true without the cards; add hub to export=[…]."
    if not asked:
        return
    words = f"export=[{','.join(asked)}]"
    if "export" not in config.stages:
        yield f"{words} is not among stages=[{','.join(config.stages)}]; add export to the stages."
    elif "train" not in config.stages and config.from_run is None:
        yield f"{words} without training: name a finished run with from_run=<its folder>, or leave stages out."
    publisher = export.lmstudio.publisher
    if not publisher.strip() or publisher.startswith(".") or any(c in publisher for c in "/\\\0\n"):
        yield f"export.lmstudio.publisher: set to {publisher!r}; a folder's name: no slashes, no dot at the start."
    yield from release.problems_in(config)
    without: list[str] = [kind for kind in ("adapter", "gguf_lora") if kind in asked]
    without += ["ollama"] if "ollama" in asked and export.ollama.source == "adapter" else []
    if without and isinstance(config.adapter, FullAdapter):
        yield f"export=[{','.join(without)}] exports an adapter, and adapter=full has none; take merged, gguf or mlx."
    for extra, (package, kinds) in PACKAGES.items():
        if (lacking := [kind for kind in kinds if kind in asked]) and find_spec(package) is None:
            yield f"export=[{','.join(lacking)}] needs {package}; run pip install 'trivium[{extra}]', or leave it out."
    from trivium.export.hub import problems

    yield from problems(export.hub)
