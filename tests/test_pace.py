"""How long a piece of work still takes, by a clock that the tests turn."""

from trivium.pace import EVERY, Pace, clock


class Clock:
    """Seconds as they are set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def paced(*marks: tuple[float, int, int]) -> tuple[Pace, Clock]:
    """A pace after these: seconds, steps done, steps in all."""
    now = Clock()
    pace = Pace(now)
    for now.seconds, done, total in marks:
        pace.update(done, total)
    return pace, now


def test_the_time_left_follows_the_pace_and_is_counted_down_between_steps() -> None:
    pace, now = paced((100, 1, 11), (110, 2, 11), (120, 3, 11))
    assert pace.left() == 80
    now.seconds += 4
    assert pace.left() == 76
    now.seconds += 1000
    assert pace.left() == 0


def test_nothing_is_foretold_before_the_second_step_or_of_a_work_without_end() -> None:
    assert paced((100, 1, 11))[0].left() is None
    assert paced((1, 1, 0), (2, 2, 0))[0].left() is None
    assert paced((1, 1, 0), (2, 2, 0))[0].words() == "2"


def test_a_work_that_goes_on_from_its_middle_is_not_taken_for_fast() -> None:
    assert paced((10, 501, 1000), (20, 502, 1000))[0].left() == 4980


def test_another_work_begins_anew() -> None:
    """A warm start of sixty steps, then a policy's thirty."""
    marks = [(float(i), i, 60) for i in range(1, 61)]
    pace, _ = paced(*marks, (100, 1, 30), (130, 2, 30))
    assert pace.left() == 28 * 30
    assert paced(*marks, (100, 1, 60), (130, 2, 60))[0].left() == 58 * 30


def test_a_line_is_due_every_so_often() -> None:
    pace, now = paced((1, 1, 9))
    assert not pace.due()
    now.seconds = EVERY
    assert pace.due() and not pace.due()


def test_words_and_clock() -> None:
    assert paced((0, 1, 90), (60, 2, 90))[0].words() == "2/90, 1:28:00 left"
    assert [clock(seconds) for seconds in (0.4, 59.6, 36_610)] == ["0:00:00", "0:01:00", "10:10:10"]
