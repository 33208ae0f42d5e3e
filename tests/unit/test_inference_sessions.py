"""Sessions: loaded once, pinned, checked against the manifest, timed, silent."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from detectors.errors import SetupError
from detectors.inference import manifest, sessions

MODEL = "generated-lite0"
PIXELS = np.zeros((1, 3, 224, 224), np.float32)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    sessions._sessions.clear()
    yield
    sessions._sessions.clear()


def test_loaded_once_on_the_processor_and_timed() -> None:
    before = sessions.model_ms()
    (out,) = sessions.run(MODEL, {"pixels": PIXELS})
    assert out.shape == (1, 2)
    assert sessions.model_ms() > before
    assert sessions.session(MODEL) is sessions.session(MODEL)
    assert sessions.session(MODEL).get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize(("text", "expected"), [("3", 3), ("0", 1), ("-2", 1), ("many", 1), ("", 1), ("65", 1)])
def test_thread_budget(text: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sessions.THREADS_SETTING, text)
    assert sessions.threads() == expected
    assert sessions.options().intra_op_num_threads == expected
    assert sessions.options().inter_op_num_threads == 1


@pytest.mark.parametrize(
    "change",
    [{"inputs": {"pixels": (None, 3, 320, 320)}}, {"inputs": {"image": (None, 3, 224, 224)}}, {"outputs": ("y",)}],
    ids=["shape", "input name", "output name"],
)
def test_a_model_that_is_not_as_listed_is_refused(change: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(manifest.entry(MODEL), **change)  # type: ignore[arg-type]
    monkeypatch.setattr(sessions, "entry", lambda _id: wrong)
    with pytest.raises(SetupError) as e:
        sessions.session(MODEL)
    assert e.value.code == "model_unusable"


def test_bytes_that_are_no_model_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "verified_bytes", lambda _entry: b"not a model")
    with pytest.raises(SetupError) as e:
        sessions.session(MODEL)
    assert e.value.code == "model_unusable"


def test_nothing_is_printed() -> None:
    code = (
        "import numpy as np; from detectors.inference import sessions;"
        f"sessions.run('{MODEL}', {{'pixels': np.zeros((2, 3, 224, 224), np.float32)}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=manifest.MODELS.parent
    )
    assert (done.stdout, done.stderr) == ("", "")
