"""How a conversation looks: answers beside each other in a wide terminal, else one after the other."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trivium.scores.completion import Completion

_WIDE = 96
"""Columns of a terminal in which two answers stand beside each other."""
_STYLES = {"base": "cyan", "tuned": "green"}
_NOTHING = "(nothing)"

Shown = Mapping[str, "str | Completion"]
"""What each speaker has said so far."""


class View:
    """The terminal, or a file that a conversation is written to."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def live(self) -> bool:
        """Whether somebody looks on while an answer is made."""
        return self._console.is_terminal

    def say(self, text: str, style: str = "dim") -> None:
        """Something that is no part of the conversation."""
        self._console.print(Text(text, style=style), soft_wrap=not self.live)

    def asked(self, question: str) -> None:
        """A question that was not typed here."""
        self._console.print(Text(f"> {question}", style="bold"), soft_wrap=True)

    @contextmanager
    def answers(self) -> Iterator[Callable[[Shown], None]]:
        """What is shown while the answers are made; it vanishes, and `answered` shows them whole."""
        if not self.live:
            yield lambda said: None
            return
        with Live(console=self._console, transient=True, refresh_per_second=12) as live:
            yield lambda said: live.update(self._render(said))

    def answered(self, said: Shown) -> None:
        """The answers."""
        if self.live:
            self._console.print(self._render(said), soft_wrap=False)
            return
        for name, words in said.items():
            self._console.print(Text.assemble(f"{name}: ", _text(words)), soft_wrap=True)

    def _render(self, said: Shown) -> RenderableType:
        if len(said) > 1 and self._console.width >= _WIDE:
            return self._beside(said)
        return Group(*(part for name, words in said.items() for part in (_title(name), _text(words), Text())))

    def _beside(self, said: Shown) -> Table:
        table = Table.grid(padding=(0, 3), expand=True)
        for _ in said:
            table.add_column(ratio=1, overflow="fold")
        table.add_row(*map(_title, said))
        table.add_row(*map(_text, said.values()))
        table.add_row()
        return table


def _title(name: str) -> Text:
    return Text(name, style=f"bold {_STYLES.get(name, 'white')}")


def _text(words: "str | Completion") -> Text:
    """An answer; the thinking before it is dimmed."""
    if isinstance(words, str):
        return Text(words or "…", style="" if words else "dim")
    shown = Text()
    if words.answer != words.text.strip():
        shown.append(words.text.strip().removesuffix(words.answer).rstrip() + "\n", style="dim")
    return shown.append(words.answer or _NOTHING, style="" if words.answer else "dim")
