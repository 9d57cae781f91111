"""What held-out answers are measured by: the gold reward, the proxy, the configured scores, length and missing ends."""

from collections.abc import Sequence

from trivium.data import chat
from trivium.evaluation.items import Measure
from trivium.rewards.rehearse import GOLD, PROXY, measures, proxy, watcher
from trivium.sample import Sample
from trivium.schema import Config
from trivium.scores.completion import split


def measure(config: Config) -> Measure:
    """Values by metric of completions in the think format. A reward set without terms or gold leaves those metrics out."""
    tags = chat.tags(config.dataset.chat)
    watched, trained, measured = watcher(config), proxy(config), measures(config)

    def values(samples: Sequence[Sample], texts: Sequence[str]) -> dict[str, list[float | None]]:
        read = [split(text, tags) for text in texts]
        found: dict[str, list[float | None]] = {}
        if watched.terms:
            found[GOLD] = _known(watched.score(read, samples).total.tolist())
        if trained.terms:
            found[PROXY] = _known(trained.score(read, samples).total.tolist())
        table = measured.score(read, samples)
        found |= {name: table.column(name) for name in table.names}
        return found | {"answer_words": [float(len(completion.answer.split())) for completion in read]}

    return values


def _known(values: list[float]) -> list[float | None]:
    return [None if value != value else value for value in values]
