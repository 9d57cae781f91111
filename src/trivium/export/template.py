"""Chat templates taken apart: what stands around every turn, found by rendering conversations whose contents are known."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from trivium.errors import ModelError
from trivium.sample import Message

Render = Callable[[list[Message], bool], str]
"""A conversation, and whether the assistant is to speak next, to the string that a model sees."""

WAY_OUT = (
    "Set model.chat_template to a template that writes its turns one after another, or run the GGUF file in a program that \
reads the template from it (llama.cpp, LM Studio)."
)

_TAG = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%([-+]?)\s*(?:end)?generation\s*([-+]?)%\}", re.DOTALL)


@dataclass(frozen=True)
class Turn:
    """What is written before and after a content."""

    prefix: str
    suffix: str


@dataclass(frozen=True)
class Parts:
    """The strings of a template, from which it can be put together again.

    heads: all that precedes the content of a first turn, by its role: begin token, a default system message, the prefix.
    turns: what surrounds the content of a later turn, by its role.
    prompt: what makes the assistant speak.
    ends: what follows the last turn, by its role, where nobody is to speak; for a few templates an end token.
    last_answer: the prefix of an assistant's turn that is the last of all.
    system: `turn`: has its own; `joined`: the user's turn goes on where the system message ended; `last`: it is told within
    the last user's turn, surrounded by `told`; `none`: the template refuses or drops it.
    stripped: roles whose contents lose the blanks at their ends.
    differs: sentences on what the parts do not reproduce.
    """

    heads: Mapping[str, str]
    turns: Mapping[str, Turn]
    prompt: str
    ends: Mapping[str, str]
    last_answer: str
    system: str = "none"
    told: Turn = Turn("", "")
    stripped: frozenset[str] = frozenset()
    differs: tuple[str, ...] = ()

    def assemble(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """The string of a conversation of system, user and assistant."""
        shown = [m for m in messages if m["role"] != "system" or self.system in ("turn", "joined")]
        told = "" if self.system != "last" else "".join(m["content"] for m in messages if m["role"] == "system")
        text, before = "", ""
        for i, message in enumerate(shown):
            role, last = message["role"], i == len(shown) - 1
            content = message["content"].strip() if role in self.stripped else message["content"]
            text += self._opening(before, role, last) + (self._told(told) if role == "user" and last else "") + content
            text, before = text + self.turns[role].suffix, role
        return text + (self.prompt if add_generation_prompt else self.ends[before])

    def without(self, begin: str) -> "Parts":
        """The parts of what is left when every conversation loses a begin token at its start; itself where one has none."""
        if not all(head.startswith(begin) for head in self.heads.values()):
            return self
        return replace(self, heads={role: head[len(begin) :] for role, head in self.heads.items()})

    def _opening(self, before: str, role: str, last: bool) -> str:
        if not before and role in self.heads:
            return self.heads[role]
        if self.system == "joined" and before == "system" and role == "user":
            return ""
        return self.last_answer if role == "assistant" and last else self.turns[role].prefix

    def _told(self, system: str) -> str:
        return self.told.prefix + (system.strip() if "system" in self.stripped else system) + self.told.suffix if system else ""


def parts(render: Render) -> Parts:
    """Take the template behind `render` apart.

    Raises `ModelError` where turns do not simply follow one another.
    """
    found = _with_system(_conversation(render), render)
    found = replace(found, stripped=frozenset(_stripped(found, render)))
    require(found, render, _trials(found))
    return replace(found, differs=tuple(_differences(found, render)))


def require(found: Parts, render: Render, conversations: Sequence[tuple[list[Message], bool]]) -> None:
    """Raise `ModelError` on a conversation that parts and template write differently."""
    for messages, ask in conversations:
        wanted, made = render(messages, ask), found.assemble(messages, ask)
        if wanted != made:
            at = len(common_start(wanted, made))
            raise ModelError(
                f"the chat template cannot be taken apart: a conversation of {', '.join(m['role'] for m in messages)} reads "
                f"{_shown(wanted, at)} where its parts give {_shown(made, at)}. {WAY_OUT}"
            )


def without_generation_tags(template: str) -> str:
    """A Jinja template without `{% generation %}` and `{% endgeneration %}`, which only training reads; it renders the same."""
    return _TAG.sub(lambda tag: _removed(tag, template), template)


def common_start(first: str, second: str) -> str:
    """The longest text that both begin with."""
    length = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    return first[:length]


def _removed(tag: "re.Match[str]", template: str) -> str:
    """Nothing, or a comment with the same effect on the blanks around it."""
    left, right = tag.groups()
    if left is None:
        return tag.group()
    around = (template[: tag.start()] or "x")[-1] + template[tag.end() : tag.end() + 1]
    return f"{{#{left} {right}#}}" if left or right or any(map(str.isspace, around)) else ""


_MARKS = {name: f"zq{name}qz" for name in ("system", "first", "answer", "second")}
_SYSTEM: Message = {"role": "system", "content": _MARKS["system"]}
_FIRST: Message = {"role": "user", "content": _MARKS["first"]}
_ANSWER: Message = {"role": "assistant", "content": _MARKS["answer"]}
_SECOND: Message = {"role": "user", "content": _MARKS["second"]}


def _conversation(render: Render) -> Parts:
    """The parts of user and assistant."""
    head, answer, again, tail = _pieces(render, [_FIRST, _ANSWER, _SECOND], False)
    asked = _pieces(render, [_FIRST, _ANSWER, _SECOND], True)[-1]
    _, last_answer, closing = _pieces(render, [_FIRST, _ANSWER], False)
    user, end = _shared(tail, answer)
    assistant, answer_end = _shared(closing, again)
    if not (asked.startswith(user) and last_answer.startswith(user)):
        raise ModelError(f"the chat template ends a user's turn differently before an answer and before its prompt. {WAY_OUT}")
    return Parts(
        heads={"user": head},
        turns={
            "user": Turn(again[len(assistant) :], user),
            "assistant": Turn(answer[len(user) :], assistant),
        },
        prompt=asked[len(user) :],
        ends={"user": end, "assistant": answer_end},
        last_answer=last_answer[len(user) :],
    )


def _with_system(found: Parts, render: Render) -> Parts:
    """The same with the system message, where the template takes one."""
    text = _accepted(render, [_SYSTEM, _FIRST, _ANSWER, _SECOND])
    if text is None or _MARKS["system"] not in text:
        return found
    if text.index(_MARKS["system"]) > text.index(_MARKS["answer"]):
        return _told_last(found, _split(text, [_FIRST, _ANSWER, _SYSTEM, _SECOND]))
    head, between, *_ = _split(text, [_SYSTEM, _FIRST, _ANSWER, _SECOND])
    user = found.turns["user"].prefix
    own = between.endswith(user)
    turn = Turn(_system_prefix(found, render, head), between[: len(between) - len(user)] if own else between)
    return replace(
        found,
        heads={**found.heads, "system": head},
        turns={**found.turns, "system": turn},
        system="turn" if own else "joined",
    )


def _told_last(found: Parts, pieces: list[str]) -> Parts:
    before = found.turns["assistant"].suffix + found.turns["user"].prefix
    if not pieces[2].startswith(before):
        raise ModelError(f"the chat template puts the system message into an earlier turn. {WAY_OUT}")
    return replace(found, system="last", told=Turn(pieces[2][len(before) :], pieces[3]))


def _system_prefix(found: Parts, render: Render, head: str) -> str:
    """What precedes a system message within a conversation; what precedes a first one where that is the only place for it."""
    closed = found.turns["assistant"].suffix
    if (text := _accepted(render, [_FIRST, _ANSWER, _SYSTEM, _SECOND])) is not None:
        marks = [_MARKS[name] for name in ("answer", "system")]
        between = text.partition(marks[0])[2].partition(marks[1])[0] if marks[1] in text else ""
        if between.startswith(closed) and len(between) > len(closed):
            return between[len(closed) :]
    begin = found.heads["user"].removesuffix(found.turns["user"].prefix)
    return head.removeprefix(begin)


def _stripped(found: Parts, render: Render) -> Iterator[str]:
    turns = [_SYSTEM, _FIRST, _ANSWER, _SECOND] if found.system != "none" else [_FIRST, _ANSWER, _SECOND]
    text = render([_padded(turn) for turn in turns], True)
    return (turn["role"] for turn in turns if _padded(turn)["content"] not in text)


def _padded(turn: Message) -> Message:
    return {**turn, "content": f" \n{turn['content']}\n "}


def _trials(found: Parts) -> list[tuple[list[Message], bool]]:
    """Conversations of one to five turns."""
    odd: Message = {"role": "user", "content": 'a {{ b }} "c"\n\n  d'}
    plain = [[_FIRST], [_FIRST, _ANSWER], [_FIRST, _ANSWER, _SECOND], [_FIRST, _ANSWER, _SECOND, _ANSWER, odd]]
    known = plain if found.system == "none" else [*plain, *([_SYSTEM, *turns] for turns in plain)]
    return [(turns, ask) for turns in known for ask in (False, True) if not ask or turns[-1]["role"] == "user"]


def _differences(found: Parts, render: Render) -> Iterator[str]:
    padded = [_padded(turn) for turn in (_FIRST, _ANSWER, _SECOND)]
    thought: Message = {"role": "assistant", "content": "<think>\nzq\n</think>\n\nqz"}
    if found.system == "none":
        yield "a system message is left out, where the template refuses it"
    if _accepted(render, padded, True) != found.assemble(padded, True):
        yield "blanks at the ends of a content are kept, where the template changes some"
    if _accepted(render, [_FIRST, thought, _SECOND], True) != found.assemble([_FIRST, thought, _SECOND], True):
        yield "the thinking part of an earlier answer is kept, where the template changes it"


def _accepted(render: Render, messages: list[Message], ask: bool = False) -> str | None:
    """The rendering, or None where the template refuses these roles."""
    from jinja2.exceptions import TemplateError

    try:
        return render(messages, ask)
    except TemplateError:
        return None


def _pieces(render: Render, messages: list[Message], ask: bool) -> list[str]:
    text = _accepted(render, messages, ask)
    if text is None:
        raise ModelError(f"the chat template refuses a conversation of {', '.join(m['role'] for m in messages)}. {WAY_OUT}")
    return _split(text, messages)


def _split(text: str, messages: list[Message]) -> list[str]:
    """What stands before, between and after the contents."""
    pieces = []
    for message in messages:
        before, mark, text = text.partition(message["content"])
        if not mark:
            raise ModelError(f"the chat template leaves out or changes the content of a turn of {message['role']}. {WAY_OUT}")
        pieces.append(before)
    return [*pieces, text]


def _shared(end: str, going_on: str) -> tuple[str, str]:
    """What closes a turn in any case, and what more closes it where it is the last."""
    if going_on.startswith(end):
        return end, ""
    shared = common_start(end, going_on)
    if shared.rfind("<") > shared.rfind(">"):  # not in the midst of a token like <|end|>
        shared = shared[: shared.rfind("<")]
    return shared, end[len(shared) :]


def _shown(text: str, at: int) -> str:
    return repr(text[max(0, at - 20) : at + 30])
