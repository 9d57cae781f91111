"""The certificate in the terminal: names of forms in one piece, and advice about what disagrees."""

import io
from typing import Any

import pytest
from rich.console import Console

from trivium.console import Screen
from trivium.errors import GateError
from trivium.export import telling
from trivium.schema import ParityConfig

ALIKE = {"templates": 1.0, "tokens": 1.0, "stops": True, "kl": 4.5e-5, "kl_max": 1e-3, "kl_untuned": 2.0, "top1": 1.0}
FORMS = ("gguf/q5_k_m", "gguf_lora", "mlx/adapter", "ollama")


def form(name: str, precision: str = "q8_0", **changes: Any) -> dict[str, Any]:
    found = {**ALIKE, "answers": 0.88, "limit": {"kl": 1e-4, "top1": 0.97}, **changes}
    return {"name": name, "precision": precision, "passed": not changes, "reasons": ["it differs"] if changes else [], **found}


def told(width: int, *forms: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    telling.tell({"forms": forms}, Screen(Console(file=out, width=width)))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 78, 79, 80, 160])
def test_names_stand_in_one_piece(width: int) -> None:
    lines = told(width, *map(form, FORMS))
    assert all(len(line) <= width for line in lines)
    for name in FORMS:
        (line,) = [line for line in lines if name in line.split()]
        assert "passed" in line or "100%" in line


def test_a_narrow_terminal_is_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(" ".join(told(60, form("gguf/q8_0", tokens=0.5))).split())
    assert "gguf/q8_0 FAILED: templates 100%; tokens 50%; stops equal;" in text and "≤ 0.0001" in text


def advice(*forms: dict[str, Any]) -> str:
    with pytest.raises(GateError) as caught:
        telling.judge({"forms": forms}, ParityConfig(), Screen())
    return str(caught.value).split("What may help: ")[1].split(". Or leave")[0]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (form("gguf/q8_0", templates=0.9), "train with a plainer chat template (model.chat_template=<Jinja file>)"),
        (form("ollama", tokens=0.9), "name another pre-tokenizer (export.gguf.pre_tokenizer=…)"),
        (form("mlx/8bit", tokens=0.9), "remove export/mlx and export it again"),
        (form("gguf_lora", stops=False), "(eos_token_id)"),
        (form("gguf/q8_0", kl=0.3), "choose a more exact type (export.gguf.types)"),
        (form("mlx/4bit", "mlx_4bit", top1=0.5), "choose a more exact type (export.mlx.bits)"),
        (form("gguf/f32", "f32", kl=0.3), "remove export/gguf and export it again"),
        (form("adapter", "exact", kl=0.3), "remove export/adapter and export it again"),
        (form("gguf/q8_0", kl_untuned=1e-6), "remove export/gguf and export it again"),
    ],
)
def test_advice_is_about_what_disagrees(found: dict[str, Any], words: str) -> None:
    said = advice(found, form("merged"))
    assert words in said and ";" not in said


def test_each_advice_is_given_once() -> None:
    said = advice(form("gguf/q8_0", kl=0.3, stops=False), form("gguf/q2_k", kl=0.3))
    assert said.count("export.gguf.types") == 1 and said.count("eos_token_id") == 1
