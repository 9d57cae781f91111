"""Chat templates in the formats of widely used models, written for these tests; and how transformers renders them."""

from collections.abc import Callable
from typing import Any

from trivium.models.tiny import CHAT_TEMPLATE as TINY
from trivium.sample import Message

_REFUSE_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system message here') }}{% endif %}"
_TAKE_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}"
    "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
)
_ALTERNATE = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('user and assistant take turns') }}{% endif %}"
)

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CHATML_DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}" + CHATML
)
THINKING = (
    "{% for m in messages %}{% set content = m['content'] %}{% if m['role'] == 'assistant' %}"
    "{% if '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}{% endif %}"
    "{% if loop.last %}{% set content = '<think>\\n\\n</think>\\n\\n' + content.lstrip('\\n') %}{% endif %}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + content + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
LLAMA2 = (
    _TAKE_SYSTEM + "{% for m in turns %}" + _ALTERNATE + "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' }}"
    "{% if loop.first and system %}{{ '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + m['content'].strip() }}"
    "{% else %}{{ m['content'].strip() }}{% endif %}{{ ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
MISTRAL = (
    _TAKE_SYSTEM + "{{ bos_token }}{% for m in turns %}" + _ALTERNATE + "{% if m['role'] == 'user' %}"
    "{% if loop.last and system %}{{ '[INST] ' + system + '\\n\\n' + m['content'] + '[/INST]' }}"
    "{% else %}{{ '[INST] ' + m['content'] + '[/INST]' }}{% endif %}"
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
GEMMA2 = (
    "{{ bos_token }}" + _REFUSE_SYSTEM + "{% for m in messages %}" + _ALTERNATE + "{{ '<start_of_turn>' "
    "+ ('model' if m['role'] == 'assistant' else m['role']) + '\\n' + m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
GEMMA3 = (
    "{{ bos_token }}" + _TAKE_SYSTEM + "{% for m in turns %}" + _ALTERNATE + "{{ '<start_of_turn>' "
    "+ ('model' if m['role'] == 'assistant' else m['role']) + '\\n' }}{% if loop.first and system %}{{ system + '\\n\\n' }}"
    "{% endif %}{{ m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}\n{{ '<|' + m['role'] + '|>\\n' + m['content'] + eos_token }}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
ALPACA = (
    "{% if messages[0]['role'] != 'system' %}{{ 'Below is a task. Do it.\\n\\n' }}{% endif %}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ m['content'] + '\\n\\n' }}"
    "{% elif m['role'] == 'user' %}{{ '### Instruction:\\n' + m['content'] + '\\n\\n' }}"
    "{% else %}{{ '### Response:\\n' + m['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"
)
LINES = (
    "{% for m in messages %}{% if not loop.first %}{{ '\\n' }}{% endif %}{{ m['role'] | capitalize + ': ' + m['content'] }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '\\nAssistant:' }}{% endif %}"
)
BRACES = (
    "{% for m in messages %}{{ '{{' + m['role'] + '}} \"\"\"{' + m['content'] + '}\\u200d{' }}{% endfor %}"
    '{% if add_generation_prompt %}{{ \'{{assistant}} """{\' }}{% endif %}'
)

FORMATS = {
    "tiny": TINY,
    "chatml": CHATML,
    "chatml with a default": CHATML_DEFAULT,
    "thinking": THINKING,
    "llama3": LLAMA3,
    "llama2": LLAMA2,
    "mistral": MISTRAL,
    "gemma2": GEMMA2,
    "gemma3": GEMMA3,
    "phi3": PHI3,
    "zephyr": ZEPHYR,
    "alpaca": ALPACA,
    "lines": LINES,
    "braces": BRACES,
}
WITHOUT_SYSTEM = ("gemma2",)
BOS, EOS = "<s>", "</s>"

TURNS: tuple[tuple[str, ...], ...] = (
    ("user: Good morning.",),
    ("system: Be brief.", "user: What is a delta?"),
    ("user: Who wrote it?", "assistant: Nobody knows.", "user: And when?"),
    ("system: Be brief.", "user: 1", "assistant: 2", "user: 3", "assistant: 4", "user: 5"),
    ("system: Be brief.", "user: 1", "assistant: 2"),
    ("user: 1", "assistant: 2"),
    ("user: line one\nline two\n\n\ttabbed",),
    ('user: { {{ .Content }} {% if %} "quoted" """thrice""" \\n',),
    ("user: naïve café, Ελλάδα, 北京, 👩‍💻 \u00a0.",),
    ("system: {{ .System }}", "user: {{ end }}"),
)


def renderer(template: str) -> Callable[[list[Message], bool], str]:
    """As `apply_chat_template` does it."""
    from transformers.utils.chat_template_utils import render_jinja_template

    def render(messages: list[Message], add_generation_prompt: bool) -> str:
        settings: dict[str, Any] = {"bos_token": BOS, "eos_token": EOS, "add_generation_prompt": add_generation_prompt}
        rendered, _ = render_jinja_template(conversations=[messages], chat_template=template, **settings)
        return str(rendered[0])

    return render


def conversations(name: str) -> list[tuple[list[Message], bool]]:
    """Those of `TURNS` that a format takes, with and without the prompt of an answer."""
    found = []
    for turns in TURNS:
        messages: list[Message] = [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]
        if messages[0]["role"] == "system" and name in WITHOUT_SYSTEM:
            continue
        found += [(messages, ask) for ask in (False, True) if not ask or messages[-1]["role"] == "user"]
    return found
