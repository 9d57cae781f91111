"""What a run shows in the terminal: a line per stage, a live bar while it works, one table at the end."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from trivium.pace import Pace, clock

_FILE_WIDTH = 160
_SHOWN = {
    "reward": "reward {:.3f}",
    "loss": "loss {:.4f}",
    "nll": "nll {:.4f}",
    "loss/distrust": "distrust term {:.4f}",
    "kl": "kl {:.3g}",
    "entropy": "entropy {:.2f}",
    "frac_reward_zero_std": "{:.0%} without spread",
    "completions/mean_length": "{:.0f} tokens long",
    "tokens_per_second": "{:,.0f} tokens/s",
    "system/peak_memory_gb": "peak memory {:.2f} GB",
}
"""Metrics beside the progress, in this order."""
Update = Callable[[int, int, Mapping[str, float]], None]
"""Progress so far: steps done, steps in all, latest metrics."""


class Screen:
    """The run's terminal output."""

    def __init__(self, out: Console | None = None) -> None:
        self.console = out or console()

    def say(self, text: str) -> None:
        """One plain line."""
        self.console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """One line that should be read."""
        self.console.print(f"warning: {text}", style="yellow", markup=False)

    def done(self, stage: str, seconds: float, note: str = "") -> None:
        """A finished stage."""
        self.console.print(f"[green]✓[/] {stage:<9} {seconds:7.1f} s  ", end="")
        self.console.print(note, markup=False)

    @contextmanager
    def bar(self, title: str) -> Iterator[Update]:
        """A live bar that vanishes when the work is done; into a file or a pipe, a line every minute."""
        pace = Pace()
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _Left(pace),
        )
        live = self.console.is_terminal
        with _Live(*columns, console=self.console, transient=True, refresh_per_second=4, disable=not live) as progress:
            task = progress.add_task(title, total=None, note="")

            def update(done: int, total: int, metrics: Mapping[str, float]) -> None:
                pace.update(done, total)
                note = ", ".join(text.format(metrics[name]) for name, text in _SHOWN.items() if name in metrics)
                progress.update(task, completed=done, total=total or None, note=note)
                if not live and pace.due():
                    self.say(f"  {title}: {pace.words()}{f', {note}' if note else ''}")

            yield update

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: bool = False) -> None:
        """The summary; a cell's second line, an interval, is dimmed. Numbers stand on the right; `left` is for texts."""
        table = Table(
            title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False
        )
        for i, column in enumerate(columns):
            longest = max(map(len, column.split()), default=0)
            table.add_column(column, justify="left" if left or i == 0 else "right", overflow="fold", min_width=longest)
        for row in rows:
            table.add_row(*map(_cell, row))
        self.console.print(table)


class _Left(ProgressColumn):
    """The time left, counted down between the steps."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def render(self, task: Task) -> Text:
        """As h:mm:ss."""
        left = self._pace.left()
        return Text("" if left is None else f"{clock(left)} left", style="progress.remaining")


class _Live(Progress):
    """The bar, and the measures in full below it."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The lines."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if task.fields["note"]:
                yield Padding(Text(task.fields["note"], style="dim", overflow="fold", no_wrap=False), (0, 0, 0, 4))


def console(file: IO[str] | None = None) -> Console:
    """As wide as the terminal; a file or a pipe has no width, so nothing is folded there."""
    made = Console(file=file, highlight=False, soft_wrap=True)
    if not made.is_terminal and (file is not None or "COLUMNS" not in os.environ):
        made.width = _FILE_WIDTH
    return made


def _cell(text: str) -> Text:
    first, newline, rest = text.partition("\n")
    return Text(first + newline).append(rest, style="dim")


def number(metrics: Mapping[str, float], name: str, digits: int = 2) -> str:
    """A metric, or a dash when it was not measured; from 10 on, one decimal is enough."""
    if name not in metrics:
        return "–"
    return f"{metrics[name]:.{digits if abs(metrics[name]) < 10 else 1}f}"


def with_interval(metrics: Mapping[str, float], name: str, digits: int = 2) -> str:
    """A metric, and below it its interval, as far as they were measured."""
    low, high = (number(metrics, f"{name}_{end}", digits) for end in ("ci_low", "ci_high"))
    return number(metrics, name, digits) + (f"\n[{low}, {high}]" if f"{name}_ci_low" in metrics else "")
