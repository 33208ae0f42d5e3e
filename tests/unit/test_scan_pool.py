"""The pool of workers: one that was ended is not lent again, and one that is starting can be ended too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detectors.intake.limits import Limits
from detectors.intake.pool import Pool
from detectors.intake.process import WorkerProcess

FAULTY = [sys.executable, str(Path(__file__).resolve().parents[1] / "faulty_worker.py")]


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
