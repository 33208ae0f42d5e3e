"""The pool of workers: one that was ended is not lent again, and one that is starting can be ended too."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from detectors import scan
from detectors.errors import SetupError
from detectors.inputs import Input, read_file
from detectors.intake import pool as pool_module
from detectors.intake import process
from detectors.intake.limits import Limits
from detectors.intake.pool import Pool
from detectors.intake.process import WorkerProcess
from detectors.scan import Scanner, ScanOptions
from detectors.verdict import Bands

FAULTY = [sys.executable, str(Path(__file__).resolve().parents[1] / "faulty_worker.py")]
HANGS = [*FAULTY, "hangs_at_start"]
BANDS = Bands(likely=0.9, clear=0.1, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=100, n_synthetic=100)
POINTS = {"generated": BANDS}
# How long a worker may take in these tests, to answer and to start: long beside what closing may take.
LONG = 8.0


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(Limits(seconds=15.0), 1, FAULTY)
    yield made
    made.close()


def late(worker: WorkerProcess) -> None:
    worker._deadline = 0.0
    worker.end_if_late()


@pytest.mark.parametrize("end", [WorkerProcess.kill, late])
def test_a_worker_ended_just_after_its_answer_is_not_lent_again(
    pool: Pool, end: Callable[[WorkerProcess], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in the moment before the system has ended the process.
    monkeypatch.setattr(WorkerProcess, "alive", True)
    with pool.worker() as first:
        end(first)
    with pool.worker() as second:
        assert second is not first
    with pool.worker() as third:
        assert third is second, "a sound one is lent again"


@dataclass
class Scene:
    """A scan of two files that is closed when the second, on which a worker hangs, is as far as a test wants it."""

    folder: Path
    reading: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def read(self, path: str, limits: Limits) -> bytes:
        """In place of the engine's own: the first takes long enough for the second to be drawn."""
        if path.endswith("missing"):
            time.sleep(0.3)
        else:
            self.reading.set()
            assert self.go_on.wait(LONG)
        return read_file(path, limits)

    def seconds_to_close(self, command: list[str], before: Callable[[], object]) -> float:
        """From the wish to close until everything has ended; `before` runs ahead of it, with the second in hand."""
        options = ScanOptions(jobs=1, points=POINTS, limits=Limits(seconds=LONG))
        with Scanner(options, command) as scanner:
            reports = scanner.scan(Input(str(self.folder / name)) for name in ("missing", "hangs"))
            assert next(reports).status == "unreadable"
            assert self.reading.wait(LONG)
            before()
            started = time.monotonic()
            reports.close()  # type: ignore[attr-defined]
            return time.monotonic() - started


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    (tmp_path / "hangs").write_bytes(b"FAULT:hang\n")
    made = Scene(tmp_path)
    monkeypatch.setattr(scan, "read_file", made.read)
    monkeypatch.setattr(scan, "_GRACE_SECONDS", 0.5)
    monkeypatch.setattr(process, "START_SECONDS", LONG)
    return made


@pytest.mark.parametrize("command", [FAULTY, HANGS])
def test_a_file_still_being_read_when_the_scan_closes_is_not_begun(scene: Scene, command: list[str]) -> None:
    # It is read when the grace is over, and all workers that were busy have been ended.
    later = threading.Timer(1.5, scene.go_on.set)
    assert scene.seconds_to_close(command, later.start) < LONG / 2


def test_closing_does_not_wait_for_a_worker_that_hangs_in_its_start(scene: Scene) -> None:
    scene.go_on.set()
    assert scene.seconds_to_close(HANGS, lambda: time.sleep(0.5)) < LONG / 2


def test_a_worker_that_starts_while_the_pool_closes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(Limits(seconds=15.0), 1, HANGS)
    made: list[WorkerProcess] = []

    def start_as_it_closes(*arguments: object) -> WorkerProcess:
        pool.close()
        made.append(WorkerProcess(*arguments))  # type: ignore[arg-type]
        return made[0]

    monkeypatch.setattr(pool_module, "WorkerProcess", start_as_it_closes)
    started = time.monotonic()
    # The watchdog ends with the pool, so nobody else would ever end this start.
    fuse = threading.Timer(LONG, lambda: made[0].kill())
    fuse.start()
    with pytest.raises(SetupError), pool.worker():
        pass
    fuse.cancel()
    assert time.monotonic() - started < LONG / 2
    assert not made[0].alive


def test_a_scanner_runs_one_scan_at_a_time() -> None:
    with Scanner(ScanOptions(jobs=1, points=POINTS), FAULTY) as scanner:
        first = scanner.scan([Input("missing")] * 2)
        next(first)
        with pytest.raises(RuntimeError, match="one scan at a time"):
            next(scanner.scan([Input("missing")]))
        assert len(list(first)) == 1, "the first goes on"
        abandoned = scanner.scan([Input("missing")] * 2)
        next(abandoned)
        abandoned.close()  # type: ignore[attr-defined]
        assert len(list(scanner.scan([Input("missing")]))) == 1
