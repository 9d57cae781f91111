"""What the export stage says: the certificate as a table and as metrics, and a mismatch as a failed gate."""

from collections.abc import Iterator, Mapping
from typing import Any

from trivium.console import Screen
from trivium.errors import GateError
from trivium.schema import ParityConfig

Report = Mapping[str, Any]
"""What `parity.json` holds."""

TITLE = "parity with the evaluated model"
COLUMNS = ["form", "templates", "tokens", "stops", "KL, nats\na token", "likeliest\ntoken", "same\nanswers", "verdict"]
TYPES = {
    "merged": "export.merged.dtype",
    "gguf": "export.gguf.types",
    "gguf_lora": "export.gguf_lora.type",
    "lmstudio": "export.lmstudio.type",
    "ollama": "export.ollama.type",
    "mlx": "export.mlx.bits",
}
"""Where the precision of a kind is set."""
_OF_LLAMA_CPP = ("gguf", "gguf_lora", "lmstudio", "ollama")
_NARROWEST = 79
"""Columns that the table needs when the longest name of a form is in it."""
_FIGURES = ("templates", "tokens", "kl", "kl_max", "top1", "answers", "passed")


def metrics(report: Report) -> dict[str, float]:
    """`export/<form>/…` of every form."""
    return {f"export/{form['name']}/{name}": float(form[name]) for form in report.get("forms", ()) for name in _FIGURES}


def tell(report: Report, screen: Screen) -> None:
    """One row for each form that was run; a narrow terminal gets one sentence for each."""
    forms = report.get("forms", ())
    if forms and screen.console.width >= _NARROWEST:
        screen.table(TITLE, COLUMNS, [_row(form) for form in forms])
    elif forms:
        screen.say("\n".join([TITLE, *map(_line, forms)]))


def judge(report: Report, settings: ParityConfig, screen: Screen) -> None:
    """Raise `GateError`, or warn, for each form that differs too much."""
    wrong = [form for form in report.get("forms", ()) if not form["passed"]]
    told = [f"{form['name']}: {'; '.join(form['reasons'])}" for form in wrong]
    if wrong and settings.gate == "strict":
        ways = dict.fromkeys(way for form in wrong for way in _ways(form))
        raise GateError(
            f"an export does not answer as the evaluated model: {'. '.join(told)}. The files are kept (see "
            f"export/parity.json). What may help: {'; '.join(ways)}. Or leave the form out of export=[…], or set "
            "export.parity.gate=warn."
        )
    for sentence in told:
        screen.warn(f"{sentence}.")


def _ways(form: Mapping[str, Any]) -> Iterator[str]:
    """What may be done about each thing that disagrees."""
    kind = form["name"].partition("/")[0]
    anew = f"remove export/{kind} and export it again"
    nearer = form["kl_untuned"] is not None and form["kl_untuned"] < form["kl"]
    if form["templates"] < 1:
        yield "train with a plainer chat template (model.chat_template=<Jinja file>), which every program renders alike"
    if form["tokens"] < 1:
        yield "name another pre-tokenizer (export.gguf.pre_tokenizer=…)" if kind in _OF_LLAMA_CPP else anew
    if not form["stops"]:
        yield "name every token that ends a turn in the base model's generation_config.json (eos_token_id)"
    if form["kl"] > form["limit"]["kl"] or form["top1"] < form["limit"]["top1"] or nearer:
        exact = nearer or kind not in TYPES or form["precision"] in ("exact", "f32")
        yield anew if exact else f"choose a more exact type ({TYPES[kind]})"


def _line(form: Mapping[str, Any]) -> str:
    cells = (" ".join(cell.split("\n")) for cell in _row(form))
    names = (" ".join(column.split("\n")) for column in COLUMNS)
    name, *rest, verdict = zip(names, cells, strict=True)
    return f"{name[1]} {verdict[1]}: {'; '.join(f'{column} {cell}' for column, cell in rest)}"


def _row(form: Mapping[str, Any]) -> list[str]:
    return [
        form["name"],
        f"{form['templates']:.0%}",
        f"{form['tokens']:.0%}",
        "equal" if form["stops"] else "differ",
        f"{form['kl']:.1e}\n≤ {form['limit']['kl']:g}",
        f"{form['top1']:.1%}\n≥ {form['limit']['top1']:.0%}",
        f"{form['answers']:.0%}",
        "passed" if form["passed"] else "FAILED",
    ]
