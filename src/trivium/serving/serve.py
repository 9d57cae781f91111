"""`task=serve`: an existing OpenAI-compatible server over a finished run, tried with one question before it is handed over."""

import json
import shlex
import signal
from dataclasses import replace
from pathlib import Path

from trivium import stages
from trivium.artifact import receipt, valid
from trivium.console import Screen
from trivium.errors import ModelError
from trivium.recording import last_steps, terminable
from trivium.result import Result
from trivium.schema import Config
from trivium.serving import child, probe
from trivium.serving.programs import Program, Start, load
from trivium.serving.runs import root

FOLDER = "serving"
"""Below a run: what is made for a server, and the servers' logs."""


def serve(config: Config, run: Path) -> None:
    """Serve a run until Ctrl-C, SIGTERM or the end of the terminal.

    Raises `ConfigError` where the program is missing or the port taken, and `TriviumError` when the server dies.
    """
    screen, settings = Screen(), config.serve
    program = load(settings.name)
    program.require(config)
    port = child.free_port(settings.host, settings.port)
    result = Result.taken_up(root(run))
    base = stages.taken_up(config, run, screen)[0][0]
    weights = _weights(config, run, base, program, result, screen)
    asked = probe.probe(config, run, result.made_in("prepare"), screen) if settings.check else None
    start = program.start(config, weights, settings.host, port)
    url = f"http://{child.reachable(settings.host)}:{port}/v1"
    try:
        with (
            terminable(signal.SIGHUP),
            child.running(settings.name, start.command, run / FOLDER / f"{settings.name}.log") as server,
        ):
            with screen.bar(f"starting {settings.name}"):
                server.await_up(settings.host, port, start.ready, settings.timeout)
            _tell(config, run, url, start, screen)
            if asked is not None:
                _compare(config, asked, probe.ask(config, url, start.model, asked, base), screen)
            screen.say("Ctrl-C stops it")
            server.wait()
    except KeyboardInterrupt:
        last_steps()
        screen.say(f"{settings.name} is stopped")


def _weights(config: Config, run: Path, base: str, program: Program, result: Result, screen: Screen) -> Path:
    """What the program serves: what was exported, or else made now, beside the exports and without their certificate.

    Raises `ModelError` for an export that is not as it was written.
    """
    from trivium.export import run as exporting
    from trivium.export.job import Job

    exported = run / "export" / program.KIND
    if (made_then := receipt(exported)) is not None and (found := program.part(exported, config)) is not None:
        with screen.bar(f"looking through {exported.name}"):
            if valid(exported, made_then.key) is None:
                raise ModelError(f"{exported} is not as it was written; export it again, or remove that folder.")
        return found
    wanted = replace(config, export=program.wanted(config))
    job = Job(wanted, base, run, run / FOLDER, screen, result.metrics, result.verdicts)
    exporting.tidy(exporting.make(job)[1])
    made = program.part(run / FOLDER / program.KIND, config)
    if made is None:
        raise ModelError(f"{run / FOLDER / program.KIND} holds nothing that serve={config.serve.name} can serve.")
    return made


def _tell(config: Config, run: Path, url: str, start: Start, screen: Screen) -> None:
    system = config.dataset.chat.system
    messages = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": "Hello"}]
    body = shlex.quote(json.dumps({"model": start.model, "messages": messages}, ensure_ascii=False))
    screen.say(f"{run} is served at {url} as model {start.model}")
    screen.say(f"  curl {url}/chat/completions -H 'Content-Type: application/json' -d {body}")
    call = f"chat.completions.create(model={start.model!r}, messages=…)"
    screen.say(f"  openai.OpenAI(base_url={url!r}, api_key='none').{call}")


def _compare(config: Config, asked: probe.Probe, answer: str, screen: Screen) -> None:
    question = asked.messages[-1]["content"]
    if answer == asked.answer:
        screen.say(f"  tried: {question!r} is answered as {asked.by} did: {answer!r}")
        return
    screen.warn(
        f"{question!r} is answered {answer!r}, and {asked.by} gave {asked.answer!r}"
        + ("; a more exact serve.type may agree" if config.serve.name == "llama_cpp" else "")
    )
