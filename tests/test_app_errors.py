"""What the operating system refuses is told with a way out that the run at hand can take."""

import errno

import pytest

from trivium import app


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "free some space, or write elsewhere (hydra.run.dir=…, cache_dir=…)"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "make it writable, or write elsewhere"),
        (errno.EROFS, "write elsewhere"),
    ],
)
def test_a_new_run_may_go_elsewhere(code: int, words: str) -> None:
    assert words in app.os_sentence(OSError(code, "No", "out"))


@pytest.mark.parametrize(("word", "way"), [("from_run=out", "name the copy (from_run=…)"), ("seed=1", "hydra.run.dir=…")])
def test_a_run_that_is_taken_up_stays_in_its_folder(
    word: str, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_args: list[str]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "out/export")

    monkeypatch.setattr(app, "_precheck", lambda args: args)
    monkeypatch.setattr(app, "_run_hydra", full)
    assert app.launch([word], False) == 1
    said = capsys.readouterr().err
    assert "out/export: no space left on device; free some space" in said and way in said
    assert ("hydra.run.dir" in said) == (word == "seed=1")
