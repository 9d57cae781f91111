"""Which passages are told of, for which component of the mixture, under which system message."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from trivium.data.splits import hash64, mixed
from trivium.errors import DataError
from trivium.generation.persona import Component, Persona
from trivium.generation.rows import Job
from trivium.sample import Sample

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """Jobs in the order of the passages. All arrays are (J,): where a job's passage begins in the file, the number of the
    conversation about it, and the numbers of component and system message. `passages` counts the lines of the file.
    """

    path: Path
    components: tuple[Component, ...]
    systems: tuple[str, ...]
    offsets: Ints
    numbers: Ints
    component: Ints
    system: Ints
    passages: int

    def __len__(self) -> int:
        return len(self.offsets)

    def jobs(self) -> Iterator[tuple[Job, Sample]]:
        """Every job with its passage; one passage is held at a time."""
        offset, passage = -1, Sample("")
        with self.path.open("rb") as file:
            for place, number, component, system in zip(
                self.offsets.tolist(), self.numbers.tolist(), self.component.tolist(), self.system.tolist(), strict=True
            ):
                if place != offset:
                    file.seek(place)
                    offset, passage = place, Sample.from_dict(orjson.loads(file.readline()))
                yield Job(passage.id, self.components[component].name, self.systems[system], number), passage

    def among(self, mask: Bools) -> "Plan":
        """The jobs that a mask (J,) marks."""
        arrays = {name: getattr(self, name)[mask] for name in ("offsets", "numbers", "component", "system")}
        return replace(self, **arrays)

    def by_system(self) -> dict[str, int]:
        """Jobs by variant of the system message."""
        counts = np.bincount(self.system, minlength=len(self.systems)).tolist()
        return dict(zip(self.systems, counts, strict=True))

    def counts(self) -> dict[str, dict[str, int | None]]:
        """For every component what was wanted (None: all that there are) and what the passages allow."""
        planned = np.bincount(self.component, minlength=len(self.components)).tolist()
        return {part.name: {"wanted": part.size, "planned": n} for part, n in zip(self.components, planned, strict=True)}


def plan(path: Path, persona: Persona, components: Sequence[Component], examples: int, seed: int) -> Plan:
    """Shares the passages of a file out, at most `examples` conversations about each.

    Passages are taken in turn from all works, in an order that only their ids and the seed decide. The component that fewest
    passages fit chooses first; those without a size share what is left. System messages take turns within each component.
    Raises `DataError` where a line is no passage.
    """
    offsets, ids, works, fits = _read(path, components)
    order = _in_turn(ids, works, seed)
    passages, numbers, chosen = _share(fits[order], [part.size for part in components], examples)
    systems = tuple(persona.systems)
    system = np.zeros(len(chosen), np.int64)
    for part in range(len(components)):
        mine = np.flatnonzero(chosen == part)
        mine = mine[np.lexsort((numbers[mine], passages[mine]))]
        system[mine] = np.arange(len(mine)) % len(systems)
    places = offsets[order[passages]]
    written = np.lexsort((numbers, places))
    places, numbers, chosen, system = (array[written] for array in (places, numbers, chosen, system))
    return Plan(path, tuple(components), systems, places, numbers, chosen, system, len(offsets))


def _read(path: Path, components: Sequence[Component]) -> tuple[Ints, Words, Words, Bools]:
    """Of every passage: its place (N,), hashes of its id and of its work (N,), and which components it fits (N, C)."""
    places, ids, works, fits = array("q"), array("Q"), array("Q"), array("q")
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = orjson.loads(line)
                name, work, themes = row["id"], row["document"], row["metadata"].get("themes", {})
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path}:{number}: not a prepared passage ({error}); remove the folder to prepare it anew."
                ) from None
            places.append(place)
            ids.append(hash64(name.encode()))
            works.append(hash64(work.encode()))
            fits.append(sum(1 << i for i, part in enumerate(components) if not part.themes or set(part.themes) & set(themes)))
            place += len(line)
    columns = np.stack([np.array(fits) >> i & 1 for i in range(len(components))], axis=1)
    return np.array(places), np.array(ids), np.array(works), columns.astype(np.bool_)


def _in_turn(ids: Words, works: Words, seed: int) -> Ints:
    """Numbers of the passages (N,), first one of each work, then another of each, and so on."""
    of_work = np.lexsort((mixed(ids, seed), works))
    _, first = np.unique(works[of_work], return_index=True)
    rank = np.empty(len(ids), np.int64)
    rank[of_work] = np.arange(len(ids)) - np.repeat(first, np.diff([*first, len(ids)]))
    return np.lexsort((mixed(works, seed), rank))


def _share(fits: Bools, sizes: Sequence[int | None], examples: int) -> tuple[Ints, Ints, Ints]:
    """Passage, number and component of every job (J,), from which component fits which passage (N, C)."""
    used = np.zeros(len(fits), np.int64)
    found: list[tuple[Ints, Ints, Ints]] = []

    def take(passages: Ints, component: Ints) -> None:
        found.append((passages, used[passages], component))
        used[passages] += 1

    for part in sorted((i for i, size in enumerate(sizes) if size is not None), key=lambda i: int(fits[:, i].sum())):
        left = int(sizes[part] or 0)
        for turn in range(examples):
            passages = np.flatnonzero(fits[:, part] & (used == turn))[:left]
            take(passages, np.full(len(passages), part))
            left -= len(passages)
    rest = fits & np.array([size is None for size in sizes])
    for turn in range(examples):
        passages = np.flatnonzero(rest.any(axis=1) & (used == turn))
        take(passages, _dealt(rest[passages], turn))
    passages, numbers, component = (np.concatenate(column) for column in zip(*found, strict=True))
    return passages, numbers, component


def _dealt(fits: Bools, turn: int) -> Ints:
    """One of the components that fit each passage (N, C), each in its turn."""
    wanted = (np.arange(len(fits)) + turn) % np.maximum(1, fits.sum(axis=1))
    return np.asarray((fits.cumsum(axis=1) > wanted[:, None]).argmax(axis=1), np.int64)
