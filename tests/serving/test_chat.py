import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from trivium.models.adapters import attach
from trivium.models.generate import GREEDY, Sampling
from trivium.models.load import load_base, load_tokenizer
from trivium.schema import ChatConfig, HardwareConfig, LoraAdapter, ModelConfig, TalkConfig
from trivium.serving.chat import Chat
from trivium.serving.speakers import Speaker
from trivium.serving.view import View

Call = Callable[..., "subprocess.CompletedProcess[str]"]
NARROW, WIDE = 60, 120


@pytest.fixture
def who(random_model: Path) -> list[Speaker]:
    """A base model and an adapter on it that says other things."""
    import torch

    model = load_base(ModelConfig(), HardwareConfig(), str(random_model))
    tuned = attach(model, LoraAdapter(r=4), seed=0)
    torch.manual_seed(1)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=2.0)
    tokenizer = load_tokenizer(ModelConfig(), str(random_model))
    return [Speaker("base", tuned, tokenizer, ChatConfig(), bare=True), Speaker("tuned", tuned, tokenizer, ChatConfig())]


def talk(who: list[Speaker], *lines: str, width: int = 0, **settings: object) -> str:
    """What is shown of a conversation; with a width, in a terminal."""
    out = io.StringIO()
    console = Console(file=out, width=width or 160, force_terminal=bool(width), highlight=False, color_system=None)
    chat = Chat(who, TalkConfig(**{"max_new_tokens": 8, **settings}), View(console))
    for line in lines:
        if not chat.hear(line, echo=not width):
            break
    return out.getvalue()


def test_both_answer_and_each_remembers_its_own_words(who: list[Speaker], random_model: Path) -> None:
    shown = talk(who, "the mass of the comet", "the depth of the quarry")
    base, tuned = who
    assert base.turns != tuned.turns
    assert [turn["role"] for turn in tuned.turns] == ["user", "assistant"] * 2
    plain = load_base(ModelConfig(), HardwareConfig(), str(random_model))
    alone = Speaker("alone", plain, base.tokenizer, ChatConfig())
    for question in ("the mass of the comet", "the depth of the quarry"):
        alone.answer(question, None, 8, GREEDY)
    assert base.turns == alone.turns
    assert shown.startswith("> the mass of the comet\nbase: ") and "\ntuned: " in shown


def test_an_answer_depends_on_the_system_message_and_on_what_was_said(who: list[Speaker]) -> None:
    def last(*lines: str) -> str:
        for speaker in who:
            speaker.turns = []
        talk(who, *lines)
        return who[1].turns[-1]["content"]

    once = last("the comet")
    assert last("the quarry", "the comet") != once
    assert last("the quarry", "/reset", "the comet") == once
    assert last("/system the viaduct dates from 101", "the comet") != once
    assert last("/system the viaduct dates from 101", "/system", "the comet") == once
    assert last("/temperature 3", "the comet") != once
    assert last("/temperature 3", "/temperature 0", "the comet") == once


def test_wide_terminals_show_columns_and_narrow_ones_do_not(who: list[Speaker]) -> None:
    for width, beside in ((WIDE, True), (NARROW, False)):
        lines = talk(who, "the comet", width=width).splitlines()
        assert any("base" in line and "tuned" in line for line in lines) == beside
        assert max(map(len, lines)) <= width + 40  # what moves the cursor is no text


def test_commands_that_are_wrong_say_so_and_change_nothing(who: list[Speaker], tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    shown = talk(who, "/temprature 1", "/temperature cold", "/temperature -1", "/save", f"/save {there}", "/help", "the comet")
    assert "did you mean `/temperature`" in shown
    assert "temperature: set to 'cold'; allowed: a number ≥ 0" in shown
    assert "temperature: set to -1.0; allowed: ≥ 0" in shown
    assert "needs the name of a file" in shown and "file exists" in shown and there.read_text() == "mine"
    assert all(word in shown for word in ("/system TEXT", "/reset", "Ctrl-C", "greedy answers"))
    assert len(who[1].turns) == 2


def test_a_conversation_is_saved_as_json_lines(who: list[Speaker], tmp_path: Path) -> None:
    talk(who, "/system the viaduct", "the comet", f"/save {tmp_path / 'talk.jsonl'}", "/quit", "the quarry")
    rows = [json.loads(line) for line in (tmp_path / "talk.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["base", "tuned"]
    assert rows[1]["messages"][0] == {"role": "system", "content": "the viaduct"}
    assert rows[1]["messages"][1:] == who[1].turns and len(who[1].turns) == 2


def test_old_turns_make_room_and_a_question_that_never_fits_is_refused(who: list[Speaker]) -> None:
    for speaker in who:
        speaker.tokenizer.model_max_length = 48
    shown = talk(who, *["the mass of the comet is 412 grams"] * 4, "the comet " * 60)
    assert "first 2 turns no longer fit" in shown or "first 4 turns no longer fit" in shown
    assert "say it in fewer words" in shown and len(who[1].turns) == 8


def test_what_the_template_refuses_is_said_and_forgotten(who: list[Speaker]) -> None:
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    for speaker in who:
        speaker.tokenizer.chat_template = refuses + speaker.tokenizer.chat_template
    shown = talk(who, "/system be kind", "the comet", "/system", "the comet")
    assert "the chat template of base does not take this conversation (no system role)" in shown
    assert len(who[0].turns) == len(who[1].turns) == 2


def test_an_answer_that_is_stopped_leaves_no_trace(who: list[Speaker], monkeypatch: pytest.MonkeyPatch) -> None:
    talk(who, "the comet")
    before = [list(speaker.turns) for speaker in who]
    real = who[1].answer

    def interrupted(*args: object) -> None:
        monkeypatch.setattr(who[1], "answer", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(who[1], "answer", interrupted)
    assert "stopped" in talk(who, "the quarry")
    assert [speaker.turns for speaker in who] == before


def test_sampling_follows_the_seed(who: list[Speaker]) -> None:
    import torch

    def sampled(seed: int) -> str:
        torch.manual_seed(seed)
        who[0].turns = []
        return who[0].answer("the comet", None, 12, Sampling(2.0, 0.9)).text

    assert sampled(0) == sampled(0) != sampled(1)


def test_a_pipe_is_a_conversation(run: Path, home: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trivium", "task=chat", "from_run=last", "talk.max_new_tokens=8"]
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = "What is the mass?\n\n/system Speak plainly.\nAnd the depth?\n"
    done = subprocess.run(command, cwd=tmp_path, input=said, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "from_run=last: outputs/distrust/first" in done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("> What is the mass?") == lines.count("> And the depth?") == 1
    assert sum(line.startswith("base: ") for line in lines) == sum(line.startswith("tuned: ") for line in lines) == 2
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name not in (".lock", "trivium.log")}
    assert after == {path: data for path, data in before.items() if path.name not in (".lock", "trivium.log")}
    assert not (run / ".hydra").exists() or (run / ".hydra") in {path.parent for path in before}
    assert [path.name for path in (tmp_path / "outputs").iterdir() if path.is_dir()] == ["distrust"]
    assert [path.name for path in run.parent.iterdir()] == ["first"]


@pytest.mark.parametrize("end", ["Ctrl-C", "Ctrl-D"])
def test_a_terminal_is_left_cleanly(run: Path, tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-m", "trivium", "task=chat", f"from_run={run}", "talk.max_new_tokens=4"]
    main, other = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, stdin=other, stdout=other, stderr=other, start_new_session=True) as process:
        try:
            os.close(other)
            seen = expect(main, "\n> ")
            os.write(main, b"the comet\n")
            seen += expect(main, "\n> ")
            if end == "Ctrl-D":
                os.write(main, b"\x04")
            else:
                process.send_signal(signal.SIGINT)
                while not select.select([main], [], [], 2)[0]:  # Python notices one that comes as it begins to read at the next
                    process.send_signal(signal.SIGINT)
                seen += expect(main, "\n")
                for _ in range(20):  # fingers are not still while it leaves
                    process.send_signal(signal.SIGINT)
                    time.sleep(0.02)
            assert process.wait(30) == 0, seen
        finally:
            process.kill()
    assert "tuned" in seen and "Traceback" not in seen


def expect(terminal: int, text: str, timeout: float = 120) -> str:
    """What a terminal shows until a text."""
    seen, until = "", time.monotonic() + timeout
    while text not in seen:
        assert time.monotonic() < until, seen
        if select.select([terminal], [], [], 1)[0]:
            seen = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\r", "", seen + os.read(terminal, 4096).decode(errors="replace"))
    return seen
