import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.backends.process import machines
from trivium.errors import ConfigError, TriviumError
from trivium.result import Result
from trivium.schema import Config

ConfigOf = Callable[..., Config]


def test_machines_are_given_one_folder(config_of: ConfigOf) -> None:
    first, second = config_of("hardware.num_machines=2"), config_of("hardware.num_machines=2", "hardware.machine_rank=1")
    assert machines.words(config_of(), [], True) == []
    assert machines.words(first, ["hydra.run.dir"], False) == []
    assert machines.words(second, ["hydra.run.dir"], False) == ["hydra.output_subdir=null"]
    with pytest.raises(ConfigError, match=r"give hydra\.run\.dir"):
        machines.words(second, ["seed"], False)
    with pytest.raises(ConfigError, match="-m makes many runs"):
        machines.words(first, ["hydra.run.dir"], True)


def test_a_machine_leaves_when_the_run_has_trained_and_fails_with_it(config_of: ConfigOf, tmp_path: Path) -> None:
    config = config_of("hardware.num_machines=2", "hardware.machine_rank=1")
    earlier = Result("run", "run", status="ok")
    earlier.stage("train", "done", 1.0)
    earlier.write(tmp_path)

    def later(status: str, error: str | None, stage: str) -> None:
        time.sleep(0.7)
        result = Result("run", "run")
        result.write(tmp_path)
        time.sleep(0.7)
        result.status, result.error = status, error
        result.stage(stage, "done", 1.0)
        result.write(tmp_path)

    threading.Thread(target=later, args=("running", None, "train")).start()
    begun = time.monotonic()
    machines.take_part(config, tmp_path)
    assert time.monotonic() - begun > 1.3
    threading.Thread(target=later, args=("failed", "no such data.", "prepare")).start()
    with pytest.raises(TriviumError, match=r"the run of machine 0 .* has failed: no such data\."):
        machines.take_part(config, tmp_path)


@pytest.mark.long
def test_two_machines_and_their_arms(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "trivium", "hardware.num_machines=2", f"hardware.main_address=127.0.0.1:{port}"]
    command += ["hydra.run.dir=out", "tracking=none", "evaluation=none", "arms={plain: ['loss=uniform']}"]
    command += ["method.max_steps=5", "model.build.max_steps=20"]
    other = subprocess.Popen([*command, "hardware.machine_rank=1"], cwd=tmp_path, env={**os.environ, "COLUMNS": "200"})
    assert subprocess.run(command, cwd=tmp_path, timeout=500).returncode == 0
    assert other.wait(60) == 0
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["metrics"]["arms/plain/train/steps"] == 5
    assert (tmp_path / "out/processes.1.log").is_file()
    assert (tmp_path / "out/arms/plain/adapter/adapter_model.safetensors").is_file()
    assert "machine_rank=1" not in (tmp_path / "out/.hydra/overrides.yaml").read_text()
