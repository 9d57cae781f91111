"""What a run shows in the terminal: a line per stage, a live bar while it works, one table at the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

Update = Callable[[int, int, Mapping[str, float]], None]
"""Progress so far: steps done, steps in all, latest metrics."""


class Screen:
    """The run's terminal output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)

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
        """A live bar that vanishes when the work is done."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        live = self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, refresh_per_second=4, disable=not live) as progress:
            task = progress.add_task(title, total=None, note="")

            def update(done: int, total: int, metrics: Mapping[str, float]) -> None:
                note = "  ".join(f"{key} {value:.4g}" for key, value in metrics.items())
                progress.update(task, completed=done, total=total or None, note=note)

            yield update

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The summary."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for i, column in enumerate(columns):
            table.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)


def with_interval(metrics: Mapping[str, float], name: str, digits: int = 2) -> str:
    """`0.92 [0.87, 0.96]` of a metric with its interval; a dash when it was not measured."""
    if name not in metrics:
        return "–"
    low, high = metrics.get(f"{name}_ci_low"), metrics.get(f"{name}_ci_high")
    interval = f" [{low:.{digits}f}, {high:.{digits}f}]" if low is not None and high is not None else ""
    return f"{metrics[name]:.{digits}f}{interval}"
