"""The command line: answers help and bad usage before anything heavy is imported, then hands over to Hydra."""

import sys
from pathlib import Path

USAGE = """\
trivium: fine-tuning experiments that change a language model's character, and prove whether it changed

usage: trivium [group=option ...] [key=value ...] [flags]

  trivium                                       the demo: does weighting by provenance change what a model believes?
  trivium task=doctor                           is this machine ready?
  trivium task=plan experiment=distrust_8b      will it fit, and how long will it take?
  trivium task=audit loss=distrust_published    does each term of the loss do anything? (exit 3: one does not)
  trivium dataset=folder dataset.path=my/texts  the same road on your own .txt, .jsonl or .parquet
  trivium -m loss.alpha=0,0.3,1,2.7             one run per value
  trivium -m sweep=alpha                        a search: twelve trials, their curve, the best confirmed with fresh seeds
  trivium task=chat from_run=last               talk to the newest finished run, base and tuned model side by side
  trivium task=serve from_run=last              serve it to other programs over an OpenAI-compatible API

groups and their options:
{groups}

flags:
  --cfg job             print the composed configuration and stop
  -m, --multirun        one run per combination of comma-separated values, or a search with sweep=<option>
  --config-dir DIR      add your own option files: DIR/<group>/<option>.yaml
  --hydra-help          Hydra's own flags
  --version             print the version

exit codes: 0 ok, 1 failure, 2 bad configuration or usage, 3 a gate failed
"""

_INSPECT_FLAGS = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc", "--experimental-rerun")


def main(argv: list[str] | None = None) -> None:
    """Entry point of `trivium`; exits with the run's code."""
    args = sys.argv[1:] if argv is None else argv
    if any(arg in ("-h", "--help") for arg in args):
        sys.stdout.write(_usage())
        return
    if "--version" in args:
        from trivium import __version__

        sys.stdout.write(f"trivium {__version__}\n")
        return
    try:
        from trivium.app import launch

        code = launch(args, inspect_only=any(arg.split("=")[0] in _INSPECT_FLAGS for arg in args))
    except KeyboardInterrupt:
        sys.stderr.write("trivium: interrupted before anything was started.\n")
        code = 1
    sys.exit(code)


def _usage() -> str:
    """The help text; groups are read off the folder, so that it needs neither Hydra nor the schemas."""
    here = Path(__file__).resolve().parent
    folder = here / "conf" if (here / "conf").is_dir() else here.parents[1] / "conf"
    groups = {p.name: sorted(o.stem for o in p.glob("*.yaml")) for p in sorted(folder.iterdir()) if p.is_dir()}
    return USAGE.format(groups="\n".join(f"  {name:<12} {' | '.join(options)}" for name, options in groups.items()))


if __name__ == "__main__":
    main()
