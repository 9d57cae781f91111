"""The sweeper that `-m` calls: a study where a sweep is chosen, else one run for each combination of values.

Hydra imports this module at every start, so nothing heavy is imported at its top.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write


@dataclass
class TriviumSweeperConf:
    """Nothing to set: a sweep's settings are keys of `sweep`."""

    _target_: str = "hydra_plugins.trivium_sweeper.sweeper.TriviumSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="trivium", node=TriviumSweeperConf, provider="trivium")


class TriviumSweeper(Sweeper):
    """Hands a search over to `trivium.sweep`, and its workers to Hydra's launcher where another than `basic` is chosen."""

    def __init__(self) -> None:
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Any = None
        self._task: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a sweep needs; the launcher is made when it is."""
        self.hydra_context, self.config, self._task = hydra_context, config, task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Run the search, or the combinations."""
        assert self.config is not None
        if self.config.sweep.name == "none":
            return self._combinations(arguments)
        from trivium.app import config_dir_of
        from trivium.sweep.run import sweep

        sources = self.config.hydra.runtime.choices
        launch = None if sources["hydra/launcher"] == "basic" else self._launch
        return sweep(list(arguments), config_dir_of(self.config), self._folder, launch)

    def _combinations(self, arguments: list[str]) -> Any:
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

        assert self.config is not None and self.hydra_context is not None and self._task is not None
        plain = BasicSweeper(max_batch_size=None)
        plain.setup(hydra_context=self.hydra_context, task_function=self._task, config=self.config)
        return plain.sweep(arguments)

    def _folder(self, config: Any) -> Path:
        """Where the study lives: `hydra.sweep.dir` if it was given, else `multirun/<name>/<study>`, the same every time."""
        assert self.config is not None
        given = any(word.startswith("hydra.sweep.dir=") for word in self.config.hydra.overrides.hydra)
        if not given:
            with read_write(self.config.hydra), open_dict(self.config.hydra):
                self.config.hydra.sweep.dir = f"multirun/{config.name}/{config.sweep.study or config.sweep.name}"
        return Path(str(self.config.hydra.sweep.dir))

    def _launch(self, workers: int, folder: Path) -> None:
        """So many workers by Hydra's launcher; each is a job that works until the study wants nothing more."""
        assert self.config is not None and self.hydra_context is not None and self._task is not None
        from trivium.sweep.worker import STUDY

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.hydra_context, task_function=self._task, config=self.config
        )
        own = [str(word) for word in OmegaConf.to_container(self.config.hydra.overrides.hydra) or ()]
        jobs: Sequence[Sequence[str]] = [
            [*own, f"+hydra.job.env_set.{STUDY}='{os.path.abspath(folder)}'", f"hydra.sweep.subdir=workers/job_{i}"]
            for i in range(workers)
        ]
        for done in launcher.launch(jobs, initial_job_idx=0):
            _ = done.return_value
