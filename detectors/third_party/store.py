"""Where added models are kept: a folder each below the user's data folder, with the model's copy and `entry.json`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from detectors.errors import CounterproofError, FileRefused
from detectors.finding import ModelRef
from detectors.inference.manifest import Presence
from detectors.third_party.card import Card, safe_name
from detectors.verdict import Bands

MODEL, ENTRY = "model.onnx", "entry.json"
LAYOUT = 1
PREFIX = "third_party:"
# A vision transformer of the largest common kind (ViT-L/14) in half precision. Loading takes several times as much.
MAX_MODEL_BYTES = 640 * 1024 * 1024
# What a counted model weighs in the overall probability, beside 0.6 for the shipped detector of the whole picture.
WEIGHT = 0.25


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured on the user's own labelled pictures, and what follows from it.

    The probability, against even odds, is that of the log-odds slope * raw + intercept. `likely` and `clear` are
    thresholds on it, as in `Bands`; the rates (0..1) are those of folds that set neither curve nor thresholds. The true
    false-positive rate is at most `false_positive_bound` with 95 % confidence. `held_out` says what a fold held out:
    `folders` or `files`.
    """

    slope: float
    intercept: float
    likely: float
    clear: float
    false_positive_rate: float
    false_positive_bound: float
    recall: float
    miss_rate: float
    n_real: int
    n_synthetic: int
    auc: float
    auc_low: float
    auc_high: float
    calibration_error: float
    held_out: str

    def __call__(self, raw: float) -> float:
        """The calibrated probability, 0..1."""
        return 1 / (1 + math.exp(-min(max(self.slope * raw + self.intercept, -30.0), 30.0)))

    @property
    def measured(self) -> str:
        """One sentence: how many pictures, how many photographs were wrongly placed, how many synthetic ones found."""
        return (
            f"On the {self.n_real} photographs and {self.n_synthetic} synthetic pictures that you calibrated it with, "
            f"it wrongly placed {_percent(self.false_positive_rate)} of the photographs in the likely band (with so "
            f"many, the true rate can be up to {_percent(self.false_positive_bound)}) and found "
            f"{_percent(self.recall)} of the synthetic pictures."
        )

    @property
    def bands(self) -> Bands:
        """The operating point for the verdict."""
        return Bands(
            likely=self.likely,
            clear=self.clear,
            false_positive_rate=self.false_positive_rate,
            recall=self.recall,
            miss_rate=self.miss_rate,
            n_real=self.n_real,
            n_synthetic=self.n_synthetic,
            weight=WEIGHT,
            measured=self.measured,
        )

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Calibration:
        """The inverse of `asdict`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        found = cls(**obj)
        numbers = {k: v for k, v in asdict(found).items() if k != "held_out"}
        if not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers.values()):
            raise ValueError("a figure is not a number")
        if found.slope <= 0 or not 0 <= found.clear <= found.likely <= 1:
            raise ValueError("the thresholds contradict each other")
        return found


@dataclass(frozen=True, slots=True)
class Added:
    """One added model. `counts` is the user's consent that it takes part in verdicts; only then does it.

    `problem` is one sentence on why the model cannot be used, or empty; then `card` may be None.
    """

    name: str
    folder: Path
    sha256: str = ""
    bytes: int = 0
    ms: float = 0.0
    card: Card | None = None
    calibration: Calibration | None = None
    counts: bool = False
    problem: str = field(default="", compare=False)

    @property
    def detector(self) -> str:
        """The name of its findings."""
        return PREFIX + self.name

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / MODEL

    @property
    def ref(self) -> ModelRef:
        """The model as findings name it."""
        return ModelRef(self.detector, self.sha256)

    @property
    def counted(self) -> bool:
        """Whether it takes part in verdicts."""
        return self.counts and self.calibration is not None and not self.problem

    def presence(self) -> Presence:
        """Whether the file is there and is the one that was added."""
        try:
            with self.path.open("rb") as f:
                digest = hashlib.file_digest(f, "sha256").hexdigest()
        except OSError:
            return Presence.MISSING
        return Presence.OK if digest == self.sha256 else Presence.ALTERED


def folder() -> Path:
    """Where added models are kept: the user's data folder on this platform."""
    import platformdirs

    return Path(platformdirs.user_data_dir("counterproof", appauthor=False)) / "models"


def installed() -> tuple[Added, ...]:
    """All added models by name, those that cannot be used included. Raises nothing for what it finds."""
    try:
        places = sorted(p for p in folder().iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return ()
    return tuple(_read(place) for place in places)


def find(name: str) -> Added:
    """The model of this name. Raises FileRefused when there is none."""
    for added in installed():
        if added.name == name:
            return added
    known = ", ".join(a.name for a in installed()) or "none is added yet"
    raise FileRefused(
        "model_unknown", f"There is no added model called “{name}” ({known}).", "See: counterproof models list"
    )


def new(card: Card, data: bytes) -> Added:
    """A model that is not kept yet. Raises FileRefused when its name is taken or it is not the one the card names."""
    sha256 = hashlib.sha256(data).hexdigest()
    if card.sha256 not in (None, sha256):
        raise FileRefused(
            "model_not_the_cards",
            f"The card is for another file: it names the SHA-256 {card.sha256}, and this file has {sha256}.",
            "Fetch the model again from the source that the card names.",
        )
    place = folder() / card.name
    if place.exists():
        raise FileRefused(
            "model_name_taken",
            f"A model called “{card.name}” is added already.",
            f"Give this one another name in its card, or first run: counterproof models remove {card.name}",
        )
    return Added(card.name, place, sha256, len(data), card=card)


def add(added: Added, data: bytes) -> None:
    """Keep a checked model. Raises StoreError."""
    with _writing():
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        # Filled aside and then renamed, so that half a model is never found.
        filling = Path(tempfile.mkdtemp(prefix=".", dir=folder()))
        try:
            (filling / MODEL).write_bytes(data)
            _write(filling, added)
            filling.rename(added.folder)
        finally:
            shutil.rmtree(filling, ignore_errors=True)


def save(added: Added) -> None:
    """Keep a changed entry. Raises StoreError."""
    with _writing():
        _write(added.folder, added)


def remove(added: Added) -> None:
    """Delete a model with all that was measured of it. Raises StoreError."""
    with _writing():
        shutil.rmtree(added.folder)


class StoreError(CounterproofError):
    """The folder of added models cannot be written."""


def _write(place: Path, added: Added) -> None:
    card, calibration = added.card, added.calibration
    entry = {
        "layout": LAYOUT,
        "sha256": added.sha256,
        "bytes": added.bytes,
        "ms": added.ms,
        "card": None if card is None else card.to_json(),
        "calibration": None if calibration is None else asdict(calibration),
        "counts": added.counts,
    }
    new = place / f"{ENTRY}.new"
    new.write_text(json.dumps(entry, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(new, place / ENTRY)


def _read(place: Path) -> Added:
    """The model in a folder; one whose entry does not make sense has a `problem` and is never used."""
    broken = Added(place.name, place, problem="What was kept with this model cannot be read, so it was not used.")
    try:
        obj = json.loads((place / ENTRY).read_text(encoding="utf-8"))
        card, table = Card.from_json(obj["card"]), obj["calibration"]
        if obj["layout"] != LAYOUT or card.name != place.name or safe_name(place.name) != place.name:
            return broken
        added = Added(card.name, place, str(obj["sha256"]), int(obj["bytes"]), float(obj["ms"]), card)
        calibration = None if table is None else Calibration.from_json(table)
        return replace(added, calibration=calibration, counts=obj["counts"] is True)
    except (OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return broken


@contextlib.contextmanager
def _writing() -> Any:
    try:
        yield
    except OSError as e:
        raise StoreError(
            "models_not_written",
            f"The folder of added models, {folder()}, cannot be written ({e.strerror}).",
            "Free some space, or ask whoever looks after this computer, and try again.",
        ) from e


def _percent(rate: float) -> str:
    return f"{rate * 100:.1f} %"
