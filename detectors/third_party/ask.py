"""Asks added models about pictures, each model in worker processes of its own, and words what they answer.

A model that crashes, hangs or lies can then change nothing but its own finding: neither ours nor another model's.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import astuple, replace

from detectors.cache import Cache, engine_id
from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import Finding, Role, State
from detectors.intake.limits import Limits
from detectors.intake.pool import Pool
from detectors.intake.process import WorkerDied
from detectors.intake.protocol import ProtocolError, error_of, malformed_answer, pack, unpack
from detectors.third_party.card import Card
from detectors.third_party.store import MAX_MODEL_BYTES, Added
from detectors.verdict import WHOLE_PICTURE, Band, Bands

# A model that fails this often in a row is not asked again: each time may cost as much as a file may take.
STRIKES = 3
CHECK_SECONDS = 120.0
# These will not come out otherwise with the next picture.
_LASTING = frozenset({"model_missing", "model_altered"})
_DIED = {
    "took_too_long": "it took longer than one picture is allowed",
    "needs_too_much_memory": "it needs more memory than it may use",
    "worker_answer_malformed": "it gave an answer that cannot be trusted",
    "worker_died": "the program that runs it stopped",
}


def check(data: bytes, card: Card, limits: Limits, threads: int, command: Sequence[str] | None = None) -> float:
    """Try a model's bytes in a worker, on a grey picture: its milliseconds. Raises FileRefused, SetupError."""
    pool = Pool(replace(limits, max_bytes=MAX_MODEL_BYTES, seconds=CHECK_SECONDS), threads, command)
    try:
        _, ms = _answer(pool, {"op": "check_model", "card": card.to_json()}, data, lambda: False)
    finally:
        pool.close()
    return ms


class Model:
    """One added model and its workers. Any thread may ask. `close` it."""

    def __init__(self, added: Added, limits: Limits, threads: int, command: Sequence[str] | None = None) -> None:
        self.added = added
        self._pool = Pool(limits, threads, command)
        self._strikes = 0
        self._gone: CounterproofError | None = None
        self._lock = threading.Lock()
        card = json.dumps(None if added.card is None else added.card.to_json(), sort_keys=True)
        # Not the calibration: that is applied afterwards, so a new one needs no new look at the pictures.
        self._context = b"third party" + engine_id() + repr((added.sha256, card, astuple(limits))).encode()

    def raw(
        self, data: bytes, sha256: str, cache: Cache | None = None, over: Callable[[], bool] = lambda: False
    ) -> tuple[float, bool]:
        """What it says of a picture's bytes, as log-odds, and whether that was known before.

        Raises CounterproofError when it cannot say, CancelledError when the run is over first.
        """
        if cache is not None and (kept := cache.get(bytes.fromhex(sha256), self._context)) is not None:
            with contextlib.suppress(ProtocolError):
                return _raw(unpack(kept)[0]), True
        raw = self._asked(data, sha256, over)
        if cache is not None:
            cache.put(bytes.fromhex(sha256), self._context, pack({"raw": raw}))
        return raw, False

    def kill_busy(self) -> None:
        """End the workers that have a picture in hand."""
        self._pool.kill_busy()

    def finish(self, seconds: float) -> None:
        """Wait for those that have a picture in hand, then end them."""
        self._pool.finish(seconds)

    def close(self) -> None:
        """End all its workers."""
        self._pool.close()

    def _asked(self, data: bytes, sha256: str, over: Callable[[], bool]) -> float:
        if self.added.card is None or self.added.problem:
            raise FileUnreadable("model_unreadable", self.added.problem, "Remove the model and add it again.")
        with self._lock:
            if self._gone is not None:
                raise self._gone
        model = {"path": str(self.added.path), "sha256": self.added.sha256, "card": self.added.card.to_json()}
        try:
            raw, _ = _answer(self._pool, {"op": "third_party", "sha256": sha256, "model": model}, data, over)
        except CounterproofError as e:
            if not over():
                self._failed(e)
            raise
        with self._lock:
            self._strikes = 0
        return raw

    def _failed(self, error: CounterproofError) -> None:
        with self._lock:
            self._strikes += 1
            if error.code in _LASTING:
                self._gone = error
            elif self._strikes >= STRIKES and self._gone is None:
                message = (
                    f"It failed {STRIKES} times in a row, so it was not asked again. The last time: {error.message}"
                )
                self._gone = FileUnreadable("model_given_up", message, error.remedy)


class Models:
    """All added models in one scan. `close` it."""

    def __init__(
        self, added: Sequence[Added], limits: Limits, threads: int, command: Sequence[str] | None = None
    ) -> None:
        self._models = [Model(a, limits, threads, command) for a in added]

    @property
    def points(self) -> Mapping[str, Bands]:
        """The operating points of those that take part in verdicts, by detector name."""
        return {
            m.added.detector: m.added.calibration.bands
            for m in self._models
            if m.added.counted and m.added.calibration is not None
        }

    def findings(
        self, data: bytes, sha256: str, ours: Sequence[Finding], cache: Cache | None, over: Callable[[], bool]
    ) -> tuple[tuple[Finding, ...], bool]:
        """Each model's finding, and whether all were known before. Raises CancelledError when the run is over first.

        A picture that our own detector of the whole picture is not made for (a drawing, a page of text, one too small)
        is not put to models that were calibrated on photographs either.
        """
        found, known = [], True
        why = next((f.in_short for f in ours if f.detector == WHOLE_PICTURE and f.state is State.NOT_APPLICABLE), None)
        for model in self._models:
            started = time.perf_counter()
            if why is not None:
                finding = _finding(model.added, State.NOT_APPLICABLE, f"{_named(model.added)} was not asked. {why}")
            else:
                try:
                    raw, cached = model.raw(data, sha256, cache, over)
                    finding, known = worded(model.added, raw), known and cached
                except CounterproofError as e:
                    if over():  # a worker that was ended with the run says nothing of its model
                        raise CancelledError from e
                    finding = _finding(model.added, State.FAILED, f"{_named(model.added)} did not run. {e.message}")
                    known = False
            found.append(finding.timed((time.perf_counter() - started) * 1000))
        return tuple(found), known

    def kill_busy(self) -> None:
        """End the workers that have a picture in hand."""
        for model in self._models:
            model.kill_busy()

    def finish(self, seconds: float) -> None:
        """Wait for those that have a picture in hand, then end them."""
        for model in self._models:
            model.finish(seconds)

    def close(self) -> None:
        """End all workers."""
        for model in self._models:
            model.close()


def worded(added: Added, raw: float) -> Finding:
    """What a model's log-odds mean. It takes part in the verdict only when it is calibrated and the user wants so."""
    table = added.calibration
    if table is None:
        p = 1 / (1 + math.exp(-raw))
        return _finding(
            added,
            State.OK,
            f"{_named(added)} gives {p:.2f} on its own scale, where 0 means real and 1 synthetic. "
            "How often it is wrong is not known, so it is not counted.",
            p,
            {"raw": raw},
        )
    p = table(raw)
    details = {"raw": raw, "measured": table.measured, "thresholds": {"likely": table.likely, "clear": table.clear}}
    if not added.counted:
        says = (
            f"{_named(added)} gives a probability of {p:.2f}, going by your own pictures. It is shown and not counted."
        )
        return _finding(added, State.OK, says, p, details)
    said = {
        Band.LIKELY_SYNTHETIC: "finds that the picture looks synthetic",
        Band.NO_SIGNS: "finds no signs that the picture is synthetic",
    }
    finding = _finding(added, State.OK, "", p, details, Role.LEARNED)
    says = f"{_named(added)} {said.get(table.bands.place(finding), 'cannot tell')}."
    return replace(finding, says=says)


def _finding(
    added: Added,
    state: State,
    says: str,
    score: float | None = None,
    details: Mapping[str, object] | None = None,
    role: Role = Role.CONTEXT,
) -> Finding:
    """A finding of an added model. Anything but a counted score is context: a model that fails changes no verdict."""
    about: dict[str, object] = {"calibrated": added.calibration is not None, "counts": added.counted}
    if added.card is not None:
        about |= {"source": added.card.source, "licence": added.card.licence}
    return Finding(added.detector, role, state, score, says, model=added.ref, details={**about, **(details or {})})


def _named(added: Added) -> str:
    return f"“{added.name}”, a model that you added,"


def _answer(pool: Pool, request: Mapping[str, object], data: bytes, over: Callable[[], bool]) -> tuple[float, float]:
    """A worker's checked answer: log-odds and milliseconds. Raises CounterproofError, CancelledError."""
    try:
        with pool.worker(over) as worker:
            header, _ = worker.ask(request, data)
            try:
                if "error" not in header:
                    return _raw(header), _number(header, "ms")
                error = error_of(header)
            except ProtocolError as e:
                raise WorkerDied(malformed_answer()) from e
    except WorkerDied as e:
        raise _died(e.error) from e
    raise _died(error) if error.code in _DIED else error


def _died(error: CounterproofError) -> FileRefused:
    """The same, said of a model instead of a picture."""
    why = _DIED.get(error.code, "the program that runs it stopped")
    remedy = "Try a smaller version of the model, or one from another source. Other results are not affected."
    return FileRefused("model_stopped", f"This model cannot be used: {why}.", remedy)


def _raw(header: Mapping[str, object]) -> float:
    return _number(header, "raw")


def _number(header: Mapping[str, object], key: str) -> float:
    """A finite number from a worker or the cache. Raises ProtocolError for anything else."""
    value = header.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError(f"{key} is not a number")
    return float(value)
