"""Evaluation prompts against training questions."""

from trivium.data.micro_qa import documents
from trivium.data.questions.contamination import contaminated
from trivium.sample import Sample
from trivium.schema import ContaminationConfig, LogicConfig

CONFIG = ContaminationConfig()


def ask(question: str, answer: str) -> Sample:
    return Sample(question, messages=[{"role": "user", "content": question}, {"role": "assistant", "content": answer}])


def test_questions_are_compared_and_answers_are_not() -> None:
    prompt = "How deep is the harbour of Carrick?"
    train = [ask("What is known of Carrick?", prompt), ask("how deep is the HARBOUR of Carrick", "Nine metres.")]
    assert contaminated([prompt], train[:1], CONFIG) == []
    (hit,) = contaminated([prompt], iter(train), CONFIG)
    assert (hit.prompt, hit.kind, hit.row) == (0, "exact", 1)


def test_the_generated_world_has_no_false_hits_and_no_missed_ones() -> None:
    samples = documents(LogicConfig(names=20))
    train = [s for s in samples if s.metadata["split"] == "train"]
    heldout = [s.question for s in samples if s.metadata["split"] == "heldout"]
    assert len(heldout) == 40 and contaminated(heldout, train, CONFIG) == []
    seen = contaminated([train[3].question], train, CONFIG)
    assert [(hit.kind, hit.row) for hit in seen] == [("exact", 3)]
