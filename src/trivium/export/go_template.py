"""Go templates for Ollama, written from the parts of a chat template, and executed as Ollama does it."""

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from trivium.export.go_program import execute
from trivium.export.template import Parts, common_start
from trivium.sample import Message

_START = "{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}{{ $asked := $last }}"
_BLANK = r'" " "\n" "\t" "\r"'
_TRIM = (
    f'{{{{ define "trim" }}}}{{{{ if . }}}}{{{{ if eq (slice . 0 1) {_BLANK} }}}}{{{{ template "trim" (slice . 1) }}}}'
    '{{ else }}{{ template "trim end" . }}{{ end }}{{ end }}{{ end }}'
    f'{{{{ define "trim end" }}}}{{{{ $n := len (slice . 1) }}}}{{{{ if eq (slice . $n) {_BLANK} }}}}'
    '{{ template "trim end" (slice . 0 $n) }}{{ else }}{{ . }}{{ end }}{{ end }}'
)
"""Go has no function that takes blanks away, and no subtraction."""
ASKED = "$asked"
"""The variable that says whether an answer is to follow this turn; Ollama asks for one after every last turn."""


def write(parts: Parts) -> str:
    """A template over `.Messages`; a last turn of the assistant stays open, for the model to go on with it."""
    begin = _begin(parts)
    start = (_TRIM if parts.stripped else "") + literal(begin)
    body = _turns(parts, begin) + _if('and $asked (ne .Role "assistant")', literal(parts.prompt))
    if "$before" not in body:
        return f"{start}{_START}{body}{{{{ end }}}}"
    kept = "{{ $before = .Role }}" if parts.system != "last" else _if('ne .Role "system"', "{{ $before = .Role }}")
    return f'{start}{{{{ $before := "" }}}}{_START}{body}{kept}{{{{ end }}}}'


def render(template: str, messages: Sequence[Message], add_generation_prompt: bool = True) -> str:
    """What Ollama makes of a conversation: like roles in succession are merged, system messages also told as `.System`.

    Without `add_generation_prompt` the last turn is closed and none begun, as where a further turn follows. Raises
    `ModelError` for anything in the template that is not of the kind written here.
    """
    return execute(template, _data(messages), {} if add_generation_prompt else {ASKED: False})


def literal(text: str) -> str:
    """Text that stands in a template, and in a Modelfile around it, for itself."""
    return re.sub(r'\{+|"""|[^ -~\n\t]', lambda found: _escaped(found.group()), text)


def _escaped(text: str) -> str:
    return text if text.isprintable() and len(text) == 1 and text != "{" else f'{{{{ "{"".join(map(_go_character, text))}" }}}}'


def _go_character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _turns(parts: Parts, begin: str) -> str:
    branches = {
        "user": _opening(parts, "user", begin) + _told(parts) + _content(parts, "user") + literal(parts.turns["user"].suffix),
        "assistant": _answer(parts),
    }
    if "system" in parts.turns:
        own = _opening(parts, "system", begin) + _content(parts, "system") + literal(parts.turns["system"].suffix)
        branches = {"system": own, **branches}
    return "{{ " + "{{ else ".join(f'if eq .Role "{role}" }}}}{made}' for role, made in branches.items()) + "{{ end }}"


def _answer(parts: Parts) -> str:
    turn = parts.turns["assistant"]
    prefix = literal(turn.prefix)
    if parts.last_answer != turn.prefix:
        prefix = f"{{{{ if $last }}}}{literal(parts.last_answer)}{{{{ else }}}}{prefix}{{{{ end }}}}"
    return prefix + _content(parts, "assistant") + _if("not $asked", literal(turn.suffix))


def _opening(parts: Parts, role: str, begin: str) -> str:
    """The prefix of a turn; what differs in the first turn is said so."""
    head, prefix = parts.heads[role][len(begin) :], parts.turns[role].prefix
    if head.endswith(prefix):
        made = _if("not $before", literal(head.removesuffix(prefix))) + literal(prefix)
    elif prefix.endswith(head):
        made = _if("$before", literal(prefix.removesuffix(head))) + literal(head)
    else:
        made = f"{{{{ if not $before }}}}{literal(head)}{{{{ else }}}}{literal(prefix)}{{{{ end }}}}"
    return _if('ne $before "system"', made) if parts.system == "joined" and role == "user" else made


def _told(parts: Parts) -> str:
    if parts.system != "last":
        return ""
    return _if(
        "and $last $.System", literal(parts.told.prefix) + _content(parts, "system", "$.System") + literal(parts.told.suffix)
    )


def _content(parts: Parts, role: str, name: str = ".Content") -> str:
    return f'{{{{ template "trim" {name} }}}}' if role in parts.stripped else f"{{{{ {name} }}}}"


def _if(test: str, then: str) -> str:
    return f"{{{{ if {test} }}}}{then}{{{{ end }}}}" if then else ""


def _begin(parts: Parts) -> str:
    """What every conversation starts with, whoever speaks first."""
    own = [head.removesuffix(parts.turns[role].prefix) for role, head in parts.heads.items()]
    shared = reduce(common_start, own)
    return shared if all(head.startswith(shared) for head in parts.heads.values()) else ""


def _data(messages: Sequence[Message]) -> Mapping[str, Any]:
    merged: list[dict[str, str]] = []
    for message in messages:
        if merged and merged[-1]["Role"] == message["role"]:
            merged[-1]["Content"] += "\n\n" + message["content"]
        else:
            merged.append({"Role": message["role"], "Content": message["content"]})
    system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    return {"System": system, "Messages": merged, "Response": ""}
