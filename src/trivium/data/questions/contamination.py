"""Was an evaluation prompt asked in training?"""

from collections.abc import Iterable

from trivium.data.contamination import Hit, scan
from trivium.data.questions.groups import asked
from trivium.sample import Sample
from trivium.schema import ContaminationConfig


def contaminated(prompts: list[str], train: Iterable[Sample], config: ContaminationConfig) -> list[Hit]:
    """The strongest hit of each prompt that some training question repeats, by prompt; answers are not looked at.

    `Hit.row` is the index of the training sample. See `trivium.data.contamination.scan` for what counts as a repetition.
    """
    return scan(prompts, map(asked, train), config)
