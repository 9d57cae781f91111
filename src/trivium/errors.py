"""Exceptions, each with the exit code that scripts rely on: 1 failure, 2 bad configuration or usage, 3 a gate failed."""


class TriviumError(Exception):
    """Base of every error a user may see: one sentence that says what was found, what is allowed and what to do."""

    exit_code = 1


class ConfigError(TriviumError, ValueError):
    """The configuration cannot be run; carries every problem found, one line each."""

    exit_code = 2

    def __init__(self, problems: str | list[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class DataError(TriviumError, ValueError):
    """The input data cannot be used at all (a single bad line is counted instead)."""


class ModelError(TriviumError, ValueError):
    """The model directory or hub id cannot be used."""


class TrackingError(TriviumError, RuntimeError):
    """The tracking server or database did not answer."""


class TrainingError(TriviumError, RuntimeError):
    """Training cannot go on, for example a loss that is not finite."""


class NotFinite(TrainingError):
    """The loss, its gradient or the base model's weights hold values that are not finite."""


class Interrupted(TriviumError):
    """SIGTERM or Ctrl-C: what was done is saved; the message says how to go on."""


class Pruned(TriviumError):
    """A trial was given up as hopeless; what it found so far is kept."""


class GateError(TriviumError):
    """A gate failed: data distribution, contamination, audit."""

    exit_code = 3
