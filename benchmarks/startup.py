"""How soon the command line answers, against `import hydra`: `python -m benchmarks.startup`."""

import statistics
import subprocess
import sys
import time

RUNS = 11


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    commands = {
        "import hydra": [sys.executable, "-c", "import hydra"],
        "trivium --help": [sys.executable, "-m", "trivium", "--help"],
        "trivium --cfg job": [sys.executable, "-m", "trivium", "--cfg", "job"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            times[name].append(seconds(command))
    median = {name: statistics.median(values) for name, values in times.items()}
    print(f"trivium --help: {median['trivium --help']:.3f} s (at most 0.1)")
    ratio = median["trivium --cfg job"] / median["import hydra"]
    print(f"trivium --cfg job: {median['trivium --cfg job']:.3f} s, {ratio:.2f} of import hydra (at most 2)")


if __name__ == "__main__":
    main()
