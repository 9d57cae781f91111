"""`task=chat`: a conversation in the terminal with a finished run, the base model answering beside the tuned one."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from trivium.binding import Problems, bind_fields, nearest
from trivium.console import Screen, console
from trivium.errors import TriviumError
from trivium.models.generate import Sampling
from trivium.recording import last_steps
from trivium.sample import Message
from trivium.schema import Config, TalkConfig
from trivium.scores.completion import Completion
from trivium.serving.speakers import Speaker, speakers
from trivium.serving.view import View


def chat(config: Config, run: Path) -> None:
    """Talk until the input ends, or `/quit`. A pipe is read line by line, each line a question or a command."""
    import torch

    screen = Screen()
    with screen.bar("loading"):
        who = speakers(config, run, screen)
    torch.manual_seed(config.seed)
    system = config.dataset.chat.system if config.talk.system is None else config.talk.system
    talk = Chat(who, replace(config.talk, system=system), View(_console()))
    talk.greet(run)
    typed = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    with suppress(KeyboardInterrupt):
        with suppress(KeyboardInterrupt):
            for line in _typed() if typed else sys.stdin:
                if not talk.hear(line.strip(), echo=not typed):
                    break
        last_steps()
    last_steps()  # a further Ctrl-C may have come just before


class Chat:
    """A conversation with several speakers, each of whom remembers what it said itself."""

    def __init__(self, who: list[Speaker], settings: TalkConfig, view: View) -> None:
        self._who, self._settings, self._view = who, settings, view
        self._over = False

    def greet(self, run: Path) -> None:
        """What is talked to, and how."""
        self._view.say(f"{' and '.join(speaker.name for speaker in self._who)} of {run}; {self._how()}; /help tells the rest")

    def hear(self, line: str, echo: bool = False) -> bool:
        """A line of the user's: a question or a command. False when the conversation is over."""
        if not line:
            return True
        if not line.startswith("/"):
            self._ask(line, echo)
            return True
        word, _, rest = line.partition(" ")
        if word in COMMANDS:
            COMMANDS[word].act(self, rest.strip())
        else:
            self._view.say(f"{word}: no such command; {nearest(word, COMMANDS)}", "yellow")
        return not self._over

    def _ask(self, question: str, echo: bool) -> None:
        if echo:
            self._view.asked(question)
        before = [list(speaker.turns) for speaker in self._who]
        try:
            self._answer(question)
        except TriviumError as error:
            self._view.say(str(error), "yellow")
        except KeyboardInterrupt:
            for speaker, turns in zip(self._who, before, strict=True):
                speaker.turns = turns
            self._view.say("stopped; the question is forgotten", "yellow")

    def _answer(self, question: str) -> None:
        said: dict[str, str | Completion] = {speaker.name: "" for speaker in self._who}
        settings = self._settings
        with self._view.answers() as show:
            show(said)
            for speaker in self._who:

                def heard(text: str, name: str = speaker.name) -> None:
                    show({**said, name: text})

                said[speaker.name] = speaker.answer(
                    question,
                    settings.system,
                    settings.max_new_tokens,
                    Sampling(settings.temperature, settings.top_p),
                    heard if self._view.live else None,
                )
                show(said)
        self._view.answered(said)
        if left_out := max(speaker.forgotten for speaker in self._who):
            self._view.say(f"the first {left_out} turns no longer fit into the context; /reset begins anew", "yellow")

    # --- commands ----------------------------------------------------------------------------------------------------

    def help(self, _: str) -> None:
        """`/help`."""
        for word, command in COMMANDS.items():
            self._view.say(f"  {word + ' ' + command.takes:<18} {command.does}")
        self._view.say(f"  {'Ctrl-C':<18} stops an answer, or leaves; Ctrl-D leaves\n  now: {self._how()}")

    def system(self, text: str) -> None:
        """`/system`."""
        self._settings = replace(self._settings, system=text or None)
        self._view.say(self._how())

    def reset(self, _: str) -> None:
        """`/reset`."""
        for speaker in self._who:
            speaker.turns = []
        self._view.say("a new conversation")

    def temperature(self, text: str) -> None:
        """`/temperature`."""
        problems = Problems()
        with suppress(ValueError):
            text = float(text)  # type: ignore[assignment]
        found = bind_fields(TalkConfig, {**asdict(self._settings), "temperature": text}, "talk", problems)
        if problems:
            self._view.say(problems[0].removeprefix("talk."), "yellow")
            return
        self._settings = found
        self._view.say(self._how())

    def save(self, name: str) -> None:
        """`/save`."""
        if not name:
            self._view.say("/save needs the name of a file, for example /save talk.jsonl", "yellow")
            return
        try:
            with Path(name).expanduser().open("x", encoding="utf-8") as file:
                file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in self._records())
        except OSError as error:
            self._view.say(f"{name}: {(error.strerror or str(error)).lower()}; choose another file", "yellow")
            return
        self._view.say(f"{name}: one line of JSON for {' and one for '.join(speaker.name for speaker in self._who)}")

    def leave(self, _: str) -> None:
        """`/quit`."""
        self._over = True

    def _records(self) -> Iterator[dict[str, object]]:
        system: list[Message] = [{"role": "system", "content": self._settings.system}] if self._settings.system else []
        for speaker in self._who:
            yield {"id": speaker.name, "messages": [*system, *speaker.turns]}

    def _how(self) -> str:
        settings = self._settings
        way = f"temperature {settings.temperature:g}" if settings.temperature else "greedy answers"
        return f"{way}, {f'system message: {settings.system}' if settings.system else 'no system message'}"


class Command(NamedTuple):
    """What follows it, what it does, and what does it."""

    takes: str
    does: str
    act: Callable[[Chat, str], None]


COMMANDS = {
    "/help": Command("", "show this", Chat.help),
    "/system": Command("TEXT", "speak under another system message; none without TEXT", Chat.system),
    "/temperature": Command("X", "sample at X; 0 answers greedily", Chat.temperature),
    "/reset": Command("", "forget what was said", Chat.reset),
    "/save": Command("FILE", "write the conversations, JSON Lines that dataset=folder reads", Chat.save),
    "/quit": Command("", "leave", Chat.leave),
}


def _typed() -> Iterator[str]:
    """Lines from the keyboard, with a history; Ctrl-D and Ctrl-C end them."""
    with suppress(ImportError):
        import readline  # noqa: F401
    while True:
        try:
            yield input("> ")
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            return


def _console() -> Console:
    made = console()
    made.soft_wrap = False
    return made
