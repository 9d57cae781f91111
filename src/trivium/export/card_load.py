"""How the exported forms are loaded, as code blocks of a card."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from trivium.export.card_words import hub_id, section
from trivium.export.job import Job

_CHAT = """
messages = [{"role": "user", "content": "…"}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**inputs, max_new_tokens=128, do_sample=False)[0, inputs["input_ids"].shape[1]:]
print(tokenizer.decode(answer, skip_special_tokens=True))
"""


def how_to_load(job: Job, made: Mapping[str, Path]) -> str:
    """A section with a block for each exported form, by folders of the run; of a pushed card, for what it comes with."""
    return section("How to load it", *(text for kind in _told(job) for text in _BLOCKS[kind](job, made)))


def _told(job: Job) -> list[str]:
    settings = job.config.export
    if settings.hub.push:
        return [settings.hub.content]
    return [kind for kind in _BLOCKS if getattr(settings, kind).enabled]


def _place(job: Job, kind: str) -> str:
    hub = job.config.export.hub
    return str(hub.repo) if hub.push and hub.content == kind else f"export/{kind}"


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"


def _adapter(job: Job, made: Mapping[str, Path]) -> Iterator[str]:
    config, place = job.config, _place(job, "adapter")
    base = hub_id(config) if config.starts_from is None else None
    of = "" if base else " Put the folder of the weights that it was trained on in the place of `BASE`."
    own = "adapter" in made and (made["adapter"] / "tokenizer_config.json").is_file()
    yield f"The adapter, over its base model.{of}"
    yield _code(
        "python",
        f"""
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base or "BASE"}"), "{place}")
tokenizer = AutoTokenizer.from_pretrained("{place if own else base or "BASE"}")
{_CHAT}""",
    )


def _merged(job: Job, _made: Mapping[str, Path]) -> Iterator[str]:
    place = _place(job, "merged")
    yield "The whole model:"
    yield _code(
        "python",
        f"""
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{place}")
tokenizer = AutoTokenizer.from_pretrained("{place}")
{_CHAT}""",
    )


def _gguf(job: Job, _made: Mapping[str, Path]) -> Iterator[str]:
    name, types = job.config.name, job.config.export.gguf.types
    folder = "" if job.config.export.hub.push and job.config.export.hub.content == "gguf" else "export/gguf/"
    yield f"llama.cpp ({', '.join(types)}):"
    yield _code("sh", f"llama-cli -m {folder}{name}-{types[0]}.gguf -cnv")


def _gguf_lora(job: Job, _made: Mapping[str, Path]) -> Iterator[str]:
    yield "llama.cpp, the adapter over the base model's GGUF file:"
    yield _code(
        "sh",
        f"llama-cli -m BASE.gguf --lora export/gguf_lora/{job.config.name}-lora-{job.config.export.gguf_lora.type}.gguf -cnv",
    )


def _mlx(_job: Job, _made: Mapping[str, Path]) -> Iterator[str]:
    yield "MLX:"
    yield _code("sh", "mlx_lm.chat --model export/mlx/plain")


def _ollama(job: Job, _made: Mapping[str, Path]) -> Iterator[str]:
    name = job.config.export.ollama.model or job.config.name
    yield "Ollama, in the folder `export/ollama`:"
    yield _code("sh", f"ollama create {name} -f Modelfile\nollama run {name}")


def _lmstudio(job: Job, _made: Mapping[str, Path]) -> Iterator[str]:
    yield f"LM Studio: move `export/lmstudio/{job.config.export.lmstudio.publisher}` into its folder of models."


_BLOCKS = {
    "adapter": _adapter,
    "merged": _merged,
    "gguf": _gguf,
    "gguf_lora": _gguf_lora,
    "mlx": _mlx,
    "ollama": _ollama,
    "lmstudio": _lmstudio,
}
