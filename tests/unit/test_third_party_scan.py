"""Added models in a scan: their findings, what they may not touch, the cache, and models that fail on some pictures."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from detectors.cache import Cache
from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import Finding, Role, State
from detectors.inputs import find_inputs
from detectors.intake.limits import Limits
from detectors.intake.process import WorkerDied, WorkerProcess
from detectors.report import Report
from detectors.scan import Scanner, ScanOptions
from detectors.third_party import ask, store
from detectors.third_party.store import Added
from detectors.verdict import Bands
from tests import onnx_files as onnx
from tests.unit.test_third_party_model import card

OURS = Bands(likely=0.9, clear=0.1, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=100, n_synthetic=100)
LIMITS = Limits(seconds=20.0)
DARK, LIGHT = 40, 230


def hangs_on_light() -> bytes:
    """A model that goes on for ever when the mean of its pixels is over 0.6, and gives that mean otherwise."""
    far = onnx.part(1, "to") + onnx.number(3, onnx.INT64) + onnx.number(20, 2)
    body = onnx.part(1, onnx.node("Identity", ["go"], ["on"]))
    body += onnx.part(1, onnx.node("Identity", ["v"], ["w"])) + onnx.part(2, "body")
    body += onnx.part(11, onnx.value("i", [], onnx.INT64)) + onnx.part(11, onnx.value("go", [], 9))
    body += onnx.part(11, onnx.value("v", [1, 1])) + onnx.part(12, onnx.value("on", [], 9))
    body += onnx.part(12, onnx.value("w", [1, 1]))
    turn = onnx.part(1, "body") + onnx.part(6, body) + onnx.number(20, 5)
    axes = onnx.part(1, "axes") + b"".join(onnx.number(8, a) for a in (1, 2, 3)) + onnx.number(20, 7)
    keep = onnx.part(1, "keepdims") + onnx.number(3, 0) + onnx.number(20, 2)
    return onnx.model(
        [
            onnx.node("ReduceMean", ["pixels"], ["mean"], axes, keep),
            onnx.node("Sub", ["mean", "edge"], ["over"]),
            onnx.node("Mul", ["over", "many"], ["turns"]),
            onnx.node("Cast", ["turns"], ["count"], far),
            onnx.node("Reshape", ["count", "single"], ["scalar"]),
            onnx.node("Reshape", ["mean", "square"], ["start"]),
            onnx.node("Loop", ["scalar", "", "start"], ["out"], turn),
        ],
        [
            onnx.floats("edge", [1], [0.6]),
            onnx.floats("many", [1], [1e15]),
            onnx.wholes("single", [1]),
            onnx.wholes("square", [1, 1]),
        ],
        [onnx.value("pixels", [1, 3, 32, 32])],
        [onnx.value("out", [1, 1])],
    )


def eats_memory() -> bytes:
    """A model that asks for 4 TB in the middle of its work."""
    return onnx.model(
        [
            onnx.node("ReduceMean", ["pixels"], ["mean"]),
            onnx.node("Expand", ["mean", "size"], ["wide"]),
            onnx.node("ReduceMean", ["wide"], ["out"]),
        ],
        [onnx.wholes("size", [1024, 1024, 1024, 1024])],
        [onnx.value("pixels", [1, 3, 32, 32])],
        [onnx.value("out", [1, 1, 1, 1])],
    )


def kept(data: bytes, name: str = "mine", **changes: object) -> Added:
    """A model in the user's folder, without the check that `models add` makes."""
    added = replace(store.new(replace(card(), name=name), data), **changes)  # type: ignore[arg-type]
    store.add(added, data)
    return added


def picture(folder: Path, name: str, light: int) -> str:
    """A picture with enough in it for our own detectors, and a mean near `light`."""
    image = Image.radial_gradient("L").resize((160, 120)).point([light + (v - 128) // 8 for v in range(256)])
    image.convert("RGB").save(folder / name)
    return str(folder / name)


def scanned(paths: list[str], *models: Added, cache: Cache | None = None) -> list[Report]:
    options = ScanOptions(jobs=1, limits=LIMITS, points={"generated": OURS}, added=models, cache=cache)
    with Scanner(options) as scanner:
        return list(scanner.scan(find_inputs(paths)))


def theirs(report: Report) -> list[Finding]:
    assert report.analysis is not None
    return [f for f in report.analysis.findings if f.detector.startswith("third_party:")]


def test_a_finding_of_each_model_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    paths = [picture(tmp_path, "dark.png", DARK), picture(tmp_path, "light.png", LIGHT)]
    models = kept(onnx.brightness([1, 1, 1]), "one"), kept(onnx.brightness([-1, -1, -1]), "two")
    without, reports = scanned(paths), scanned(paths, *models)
    for before, after in zip(without, reports, strict=True):
        one, two = theirs(after)
        assert (one.detector, two.detector) == ("third_party:one", "third_party:two")
        assert one.score == pytest.approx(1 - two.score, abs=1e-4)  # type: ignore[operator]
        assert (one.role, one.state, one.model) == (Role.CONTEXT, State.OK, models[0].ref)
        assert one.ms > 0
        assert not theirs(before)
        assert after.verdict == before.verdict
    dark, light = (theirs(r)[0].score for r in reports)
    assert dark is not None
    assert light is not None
    assert 0.5 < dark < 0.75 < light


def test_the_cache_keeps_what_a_model_said_and_no_calibration(tmp_path: Path) -> None:
    paths, cache = [picture(tmp_path, "dark.png", DARK)], Cache(tmp_path / "cache.sqlite")
    model = kept(onnx.brightness([1, 1, 1]))
    other = kept(onnx.brightness([5, 5, 5]), "other")
    table = store.Calibration(1.0, -9.0, 0.9, 0.1, 0, 0, 0, 0, 50, 50, 1, 1, 1, 0, "files")
    (bare,) = scanned(paths, cache=cache)
    (first,) = scanned(paths, model, cache=cache)
    (again,) = scanned(paths, model, cache=cache)
    (calibrated,) = scanned(paths, replace(model, calibration=table), cache=cache)
    (changed,) = scanned(paths, other, cache=cache)
    cache.close()
    assert [r.cached for r in (bare, first, again, calibrated, changed)] == [False, False, True, True, False]
    assert theirs(again)[0].score == theirs(first)[0].score
    assert theirs(calibrated)[0].details["raw"] == theirs(first)[0].details["raw"]
    assert theirs(calibrated)[0].score == pytest.approx(table(theirs(first)[0].details["raw"]))
    assert theirs(calibrated)[0].score != theirs(first)[0].score
    assert theirs(changed)[0].score != theirs(first)[0].score


def test_a_model_that_fails_costs_its_own_finding_alone(tmp_path: Path) -> None:
    """One altered on disk, one without a usable entry, one that gives no number, and one that eats memory."""
    paths = [picture(tmp_path, "dark.png", DARK)]
    sound = kept(onnx.brightness([1, 1, 1]), "sound")
    altered = kept(onnx.brightness([2, 2, 2]), "altered", calibration=None)
    altered.path.write_bytes(onnx.brightness([3, 3, 3]))
    broken = Added("broken", tmp_path, problem="What was kept with this model cannot be read.")
    no_number = kept(onnx.brightness([float("nan"), 0, 0]), "no-number")
    hungry = kept(eats_memory(), "hungry")
    (before,) = scanned(paths)
    (report,) = scanned(paths, altered, sound, broken, no_number, hungry)
    assert report.status == "scanned"
    found = {f.detector.removeprefix("third_party:"): f for f in theirs(report)}
    assert {n: f.state for n, f in found.items()} == {
        "altered": State.FAILED,
        "sound": State.OK,
        "broken": State.FAILED,
        "no-number": State.FAILED,
        "hungry": State.FAILED,
    }
    assert "is not the one that was added" in found["altered"].says
    assert "not a number" in found["no-number"].says
    assert all(f.score is None and f.role is Role.CONTEXT for n, f in found.items() if n != "sound")
    assert report.verdict is not None
    assert before.verdict is not None
    assert (report.verdict.band, report.verdict.p_synthetic) == (before.verdict.band, before.verdict.p_synthetic)
    said = " ".join(report.verdict.reasons)
    assert "“altered”, a model that you added, did not run" in said


def test_a_model_that_hangs_is_ended_and_the_next_picture_is_put_to_it_again(tmp_path: Path) -> None:
    model = ask.Model(kept(hangs_on_light()), Limits(seconds=3.0), 1)
    light, dark = (Path(picture(tmp_path, f"{n}.png", n)).read_bytes() for n in (LIGHT, DARK))
    try:
        with pytest.raises(FileRefused, match="model_stopped") as e:
            model.raw(light, hashlib.sha256(light).hexdigest())
        assert "took longer" in e.value.message
        raw, known = model.raw(dark, hashlib.sha256(dark).hexdigest())
        assert (round(raw, 1), known) == (0.2, False)
    finally:
        model.close()


def test_hostile_models_are_refused_before_they_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "CHECK_SECONDS", 4.0)
    always = hangs_on_light().replace(struct.pack("<f", 0.6), struct.pack("<f", -9.0))
    with pytest.raises(FileRefused, match="took longer"):
        ask.check(always, card(), LIMITS, 1)
    monkeypatch.setattr(ask, "CHECK_SECONDS", 60.0)
    for data in (eats_memory(), onnx.brightness([1, 1, 1])[:-9], b"no model"):
        with pytest.raises(FileRefused):
            ask.check(data, card(), LIMITS, 1)
    assert ask.check(hangs_on_light(), card(), LIMITS, 1) > 0
    assert not store.folder().exists()


class FakeWorker:
    """Answers with whatever it is told."""

    def __init__(self, answer: object) -> None:
        self.answer, self.asked = answer, 0

    def ask(self, request: object, data: bytes) -> tuple[object, bytes]:
        self.asked += 1
        return self.answer, b""


@pytest.fixture
def model() -> Iterator[ask.Model]:
    made = ask.Model(kept(onnx.brightness([1, 1, 1])), LIMITS, 1)
    yield made
    made.close()


def told(model: ask.Model, monkeypatch: pytest.MonkeyPatch, answer: object) -> FakeWorker:
    worker = FakeWorker(answer)
    monkeypatch.setattr(model._pool, "_started", lambda over: _alive(worker))
    return worker


def _alive(worker: FakeWorker) -> WorkerProcess:
    worker.answered, worker.killed, worker.alive = 0, False, True  # type: ignore[attr-defined]
    worker.close = lambda: None  # type: ignore[attr-defined]
    worker.kill = lambda: None  # type: ignore[attr-defined]
    return worker  # type: ignore[return-value]


@pytest.mark.parametrize(
    "answer",
    [{}, {"raw": "1"}, {"raw": True}, {"raw": None}, {"raw": 1.0}, {"error": {"status": "ok"}}, {"findings": []}],
)
def test_an_answer_that_cannot_be_trusted_is_a_failure(
    answer: object, model: ask.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(model, monkeypatch, answer)
    with pytest.raises(FileRefused, match="model_stopped"):
        model.raw(b"x", "00" * 32)
    told(model, monkeypatch, {"raw": 1.0, "ms": 2.0})
    assert model.raw(b"x", "00" * 32) == (1.0, False)


def failing(code: str) -> dict[str, object]:
    return {"error": {"status": "refused", "code": code, "message": "No.", "remedy": "Wait."}}


def test_a_model_that_fails_three_times_in_a_row_is_not_asked_again(
    model: ask.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = told(model, monkeypatch, failing("any"))
    for _ in range(2):
        with pytest.raises(CounterproofError, match="any"):
            model.raw(b"x", "00" * 32)
    worker.answer = {"raw": 1.0, "ms": 1.0}
    assert model.raw(b"x", "00" * 32) == (1.0, False)
    worker.answer = failing("any")
    for _ in range(3):
        with pytest.raises(CounterproofError, match="any"):
            model.raw(b"x", "00" * 32)
    asked = worker.asked
    with pytest.raises(FileUnreadable, match="model_given_up") as e:
        model.raw(b"x", "00" * 32)
    assert worker.asked == asked
    assert "3 times in a row" in e.value.message


def test_an_altered_model_is_asked_once(model: ask.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = told(model, monkeypatch, failing("model_altered"))
    for _ in range(3):
        with pytest.raises(CounterproofError, match="model_altered"):
            model.raw(b"x", "00" * 32)
    assert worker.asked == 1


def test_a_picture_that_our_own_detector_is_not_made_for_is_not_put_to_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = ask.Models([kept(onnx.brightness([1, 1, 1]))], LIMITS, 1)
    drawing = Finding("generated", Role.LEARNED, State.NOT_APPLICABLE, None, "This is a drawing, not a photograph.")
    ((finding,), known) = models.findings(b"x", "00" * 32, [drawing], None, lambda: False)
    models.close()
    assert (finding.state, finding.role, known) == (State.NOT_APPLICABLE, Role.CONTEXT, True)
    assert "was not asked. This is a drawing" in finding.says


def test_a_run_that_is_over_gives_no_finding() -> None:
    models = ask.Models([kept(onnx.brightness([1, 1, 1]))], LIMITS, 1)
    with pytest.raises(CancelledError):
        models.findings(b"x", "00" * 32, [], None, lambda: True)
    models.close()


def test_a_worker_that_is_ended_with_the_run_says_nothing_of_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    models = ask.Models([kept(onnx.brightness([1, 1, 1]))], LIMITS, 1)
    (model,) = models._models
    worker = told(model, monkeypatch, {})

    def killed(request: object, data: bytes) -> tuple[object, bytes]:
        ended.set()
        raise WorkerDied(FileUnreadable("worker_died", "It stopped.", "Wait."))

    worker.ask = killed  # type: ignore[method-assign]
    with pytest.raises(CancelledError):
        models.findings(b"x", "00" * 32, [], None, ended.is_set)
    models.close()
    assert model._strikes == 0


def test_a_picture_is_decoded_by_the_same_rules_as_ever() -> None:
    model = ask.Model(kept(onnx.brightness([1, 1, 1])), LIMITS, 1)
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    broken = out.getvalue()[:-20]
    try:
        with pytest.raises(CounterproofError):
            model.raw(broken, hashlib.sha256(broken).hexdigest())
    finally:
        model.close()
