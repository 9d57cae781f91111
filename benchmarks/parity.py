"""The certificate of every export for four shapes of model: `python -m benchmarks.parity`.

The models are random but sure of their next token, as trained ones are; each is given a random adapter. The table is Markdown.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.export import shapes

from trivium.compose import hydra_at
from trivium.console import Screen
from trivium.export import run
from trivium.export.job import Job
from trivium.overrides import checked
from trivium.schema import GGUF_TYPES

KINDS = "export=[adapter,merged,gguf,gguf_lora,mlx,lmstudio,ollama]"
WORDS = (
    "arms=null",
    KINDS,
    f"export.gguf.types=[{','.join(GGUF_TYPES)}]",
    "export.mlx.bits=[8,4]",
    "export.ollama.create=false",
)


def certified(shape: str, home: Path) -> dict[str, Any]:
    """What `parity.json` holds of every form of one shape."""
    shapes.make(shape, home / "base", clear=True)
    shapes.tune(home / "base", home / "run")
    with hydra_at():
        config = checked([*WORDS, f"cache_dir={home.parent / 'cache'}"])
    config = replace(config, model=replace(config.model, path=str(home / "base")))
    job = Job(config, str(home / "base"), home / "run", home / "run" / "export", Screen())
    made, _ = run.make(job)
    return run.certify(job, made)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        reports = {shape: certified(shape, Path(name) / shape) for shape in shapes.SHAPES}
    print(f"| form | {' | '.join(shapes.SHAPES)} |\n|{' --- |' * (len(reports) + 1)}")
    rows = zip(*(report["forms"] for report in reports.values()), strict=True)
    for forms in rows:
        print(f"| {forms[0]['name']} | {' | '.join(map(_cell, forms))} |")
    untuned = " | ".join(f"{report['forms'][0]['kl_untuned']:.1e}" for report in reports.values())
    print(f"| the untuned model | {untuned} |")
    print("\nmean divergence (nats a token), agreement on the likeliest token; templates, tokens and stops agree unless told")
    return 0 if all(report["passed"] for report in reports.values()) else 3


def _cell(form: dict[str, Any]) -> str:
    told = f"{form['kl']:.1e}, {form['top1']:.0%}"
    return told if form["passed"] else f"{told}: **{'; '.join(form['reasons'])}**"


if __name__ == "__main__":
    sys.exit(main())
