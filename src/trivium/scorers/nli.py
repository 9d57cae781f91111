"""Natural language inference by any sequence classification model, whatever its labels are called and their order."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from trivium.errors import ModelError
from trivium.models.quiet import quiet
from trivium.schema import ScorerConfig
from trivium.scorers.batches import in_batches
from trivium.scorers.places import explained, local, require_device, require_safetensors
from trivium.scores.ask import Entail, Entailment
from trivium.scores.words import plain

_NOT_FINITE = "not finite"
_FALLBACK_LENGTH = 512
_CHARACTERS = 24
"""Characters per token of the model's length, beyond which a text is cut before it is tokenized."""


class Nli:
    """Answers `Entail` questions with the softmax over a model's labels, in float32.

    A premise too long for the model loses its end; a hypothesis may fill half of the model's length. A model with the two
    labels entailment and not_entailment gives no p(contradiction): what is not entailed counts as neutral.
    """

    def __init__(self, model: Any, tokenizer: Any, order: Sequence[str], batch_tokens: int) -> None:
        self.failures: Counter[str] = Counter()
        self.two_labels = "contradiction" not in order
        self._model, self._tokenizer, self._batch_tokens = model, tokenizer, batch_tokens
        self._columns = [order.index(label) if label in order else None for label in ("entailment", "neutral", "contradiction")]
        self._max_length = longest(model, tokenizer)

    def __call__(self, questions: Sequence[Entail]) -> list[Entailment | None]:
        """Probabilities for each pair; None for one that does not fit into memory or has no finite logits."""
        if not questions:
            return []
        encoded = self._encode(questions)
        lengths = [len(ids) for ids in encoded["input_ids"]]

        def work(batch: list[int]) -> list[Entailment | None]:
            return self._score({key: [column[i] for i in batch] for key, column in encoded.items()})

        return in_batches(lengths, self._batch_tokens, work, self.failures)

    def _encode(self, questions: Sequence[Entail]) -> dict[str, list[list[int]]]:
        most = self._max_length * _CHARACTERS
        premises = [plain(question.premise)[:most] for question in questions]
        hypotheses = [self._cut(plain(question.hypothesis)[:most]) for question in questions]
        with quiet():
            found = self._tokenizer(premises, hypotheses, truncation="only_first", max_length=self._max_length, verbose=False)
        return dict(found)

    def _cut(self, hypothesis: str) -> str:
        """The hypothesis, cut where half of the model's length is full; a token is at least one byte."""
        most = self._max_length // 2
        if len(hypothesis.encode()) <= most:
            return hypothesis
        offsets = self._tokenizer(hypothesis, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
            "offset_mapping"
        ]
        return hypothesis if len(offsets) <= most else hypothesis[: offsets[most - 1][1]]

    def _score(self, columns: dict[str, list[list[int]]]) -> list[Entailment | None]:
        import torch

        padded = self._tokenizer.pad(columns, return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            probabilities = self._model(**padded).logits.float().softmax(-1).tolist()
        return [self._answer(row) for row in probabilities]

    def _answer(self, row: list[float]) -> Entailment | None:
        if any(value != value for value in row):
            self.failures[_NOT_FINITE] += 1
            return None
        return Entailment(*(0.0 if column is None else row[column] for column in self._columns))


def load_nli(config: ScorerConfig, path: str) -> Nli:
    """The model of a local folder or hub id, without code of its own; `ModelError` where it cannot be used."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    require_device(config.device, "nli")
    folder = local(path, "nli")
    if folder is not None:
        require_safetensors(folder, "nli")
    source: dict[str, Any] = {"revision": config.revision, "trust_remote_code": False}
    with quiet(), explained(path, "nli", _install(path, folder is not None)):
        tokenizer: Any = AutoTokenizer.from_pretrained(path, **source)
        model: Any = AutoModelForSequenceClassification.from_pretrained(path, use_safetensors=True, dtype="float32", **source)
    if not tokenizer.is_fast:
        raise ModelError(f"reward.scorers.nli.path: {path} has only a slow tokenizer; save it once with a tokenizer.json.")
    order = label_order(model.config.id2label, config.labels, path)
    return Nli(model.to(config.device).eval(), tokenizer, order, config.batch_tokens)


def label_order(id2label: dict[int, str], named: Sequence[str] | None, path: str) -> list[str]:
    """`contradiction`, `neutral` and `entailment` in the model's order; two-label models have `neutral` and `entailment`.

    `named` stands in for the model's own labels. Raises `ModelError` where they cannot be read.
    """
    own = [str(id2label[i]) for i in sorted(id2label)]
    labels = own if named is None else list(named)
    if len(labels) != len(own):
        raise ModelError(
            f"reward.scorers.nli.labels names {len(labels)} labels, but {path} has {len(own)}; name all in the model's order."
        )
    order = [_meaning(label) for label in labels]
    if sorted(map(str, order)) not in (["contradiction", "entailment", "neutral"], ["entailment", "neutral"]):
        raise ModelError(
            f"reward.scorers.nli: the labels of {path} are {', '.join(labels)}, which do not say which is entailment, neutral "
            "and contradiction; name them in the model's order, for example "
            "reward.scorers.nli.labels=[contradiction,neutral,entailment], as its model card tells."
        )
    return [str(meaning) for meaning in order]


def longest(model: Any, tokenizer: Any) -> int:
    """Tokens of a pair that the model can read: what its tokenizer says, or else its positions."""
    positions = getattr(model.config, "max_position_embeddings", None) or _FALLBACK_LENGTH
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2
    return int(min(tokenizer.model_max_length, max(16, positions)))


def _meaning(label: str) -> str | None:
    """What a label means; two-label models say `not_entailment`, which is neutral here."""
    text = "".join(character for character in label.lower() if character.isalpha())
    if text.startswith(("notentail", "nonentail", "noentail")):
        return "neutral"
    for meaning, beginning in (("entailment", "entail"), ("contradiction", "contradict"), ("neutral", "neutral")):
        if text.startswith(beginning):
            return meaning
    return None


def _install(path: str, here: bool) -> str:
    if here:
        return "its files may be damaged or of another kind: it must be a sequence classification model in safetensors"
    return f"get it with `hf download {path}`, check the id and the network"
