"""models/manifest.toml: which weights exist, what pins them, and what was measured with them.

Imports neither NumPy nor ONNX Runtime: the parent process reads it to key its cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from detectors.errors import SetupError
from detectors.finding import ModelRef, Profile
from detectors.verdict import Bands, Rates

MODELS = Path(__file__).resolve().parents[2] / "models"
REMEDY = "Install Counterproof again from a source that you trust, then run `counterproof doctor`."


class Presence(StrEnum):
    """What `check` finds on disk."""

    OK = "ok"
    MISSING = "missing"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Raw score to probability by a table: straight lines between the points, flat outside. Both rise."""

    raw: tuple[float, ...]
    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raises ValueError unless both lists rise and the probabilities are in 0..1."""
        rises = all(a < b for a, b in zip(self.raw, self.raw[1:], strict=False))
        grows = all(a <= b for a, b in zip(self.probability, self.probability[1:], strict=False))
        if len(self.raw) != len(self.probability) or len(self.raw) < 2 or not (rises and grows):
            raise ValueError("a calibration table needs two rising lists of the same length")
        if self.probability[0] < 0 or self.probability[-1] > 1:
            raise ValueError("probabilities must lie between 0 and 1")

    def __call__(self, raw: float) -> float:
        """The calibrated probability, 0..1. Raises ValueError when `raw` is not a number."""
        if math.isnan(raw):
            raise ValueError("the model gave no number")
        if raw <= self.raw[0]:
            return self.probability[0]
        if raw >= self.raw[-1]:
            return self.probability[-1]
        i = bisect_right(self.raw, raw)
        share = (raw - self.raw[i - 1]) / (self.raw[i] - self.raw[i - 1])
        return self.probability[i - 1] + share * (self.probability[i] - self.probability[i - 1])


@dataclass(frozen=True, slots=True)
class Companion:
    """Another model whose raw score is added, times `weight`, before `calibration` is looked up."""

    id: str
    weight: float


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model. `file` is relative to models/, or to the installed package `package` where that is given.

    `inputs` maps the input's name to its shape, a number where it is fixed and None where it is free.
    `detector` names the detector whose probability `calibration` and `bands` speak of; both are None for models whose
    scores are used as they are. `profile` is the one that they serve, None for every.
    """

    id: str
    file: str
    package: str | None
    sha256: str
    bytes: int
    licence: str
    derived_from: str
    preprocess: str
    detector: str | None
    profile: Profile | None
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    calibration: Calibration | None
    bands: Bands | None
    golden: str | None
    companion: Companion | None = None

    @property
    def ref(self) -> ModelRef:
        """The model as findings name it."""
        return ModelRef(self.id, self.sha256)

    def path(self) -> Path | None:
        """Where the file should be; None when its package is not installed. The package is not imported."""
        if self.package is None:
            return MODELS / self.file
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(spec.submodule_search_locations[0]) / self.file


Manifest = Mapping[str, ModelEntry]


def manifest() -> Manifest:
    """All entries by id. Raises SetupError when the manifest is missing or malformed."""
    return _file()[0]


def fusion() -> Mapping[str, float]:
    """The weight of each learned detector in the overall probability, each over 0. Raises SetupError."""
    return _file()[1]


@cache
def _file() -> tuple[Manifest, Mapping[str, float]]:
    """Entries by id, and the weights. Raises SetupError."""
    try:
        with (MODELS / "manifest.toml").open("rb") as f:
            content = tomllib.load(f)
        weights = {str(name): float(weight) for name, weight in content["fusion"].items()}
        if not all(0 < w < math.inf for w in weights.values()):
            raise ValueError("a weight must be a number over 0")
        entries = [_entry(row, weights) for row in content["model"]]
    except (OSError, tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, ValueError) as e:
        raise SetupError("manifest_unreadable", "The list of models could not be read.", REMEDY) from e
    found = {e.id: e for e in entries}
    if not found or len(found) != len(entries):
        raise SetupError("manifest_unreadable", "The list of models is empty or names a model twice.", REMEDY)
    return found, weights


def entry(model_id: str) -> ModelEntry:
    """The entry with this id. Raises SetupError when there is none."""
    try:
        return manifest()[model_id]
    except KeyError:
        raise SetupError("model_unknown", f"The model {model_id} is not in the list of models.", REMEDY) from None


def operating_points(profile: Profile) -> Mapping[str, Bands]:
    """Each learned detector's shipped operating point and measured error rates in one profile, by detector name.

    Raises SetupError when a detector has two, or when `generated`, on which every verdict rests, has none.
    """
    found: dict[str, Bands] = {}
    for e in manifest().values():
        if e.bands is None or e.detector is None or e.profile not in (None, profile):
            continue
        if e.detector in found:
            raise SetupError("bands_twice", f"The list of models has two error rates for “{e.detector}”.", REMEDY)
        found[e.detector] = e.bands
    if "generated" not in found:
        raise SetupError("bands_missing", "The measured error rates of this version are missing.", REMEDY)
    return found


def bands(profile: Profile, detector: str = "generated") -> Bands:
    """One detector's shipped operating point and measured error rates. Raises SetupError when there is none."""
    try:
        return operating_points(profile)[detector]
    except KeyError:
        message = f"The measured error rates of “{detector}” are missing in this version."
        raise SetupError("bands_missing", message, REMEDY) from None


def check(model: ModelEntry) -> Presence:
    """Whether the file is there and has the SHA-256 that the manifest names."""
    path = model.path()
    if path is None or not path.is_file():
        return Presence.MISSING
    with path.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    return Presence.OK if digest == model.sha256 else Presence.ALTERED


def verified_bytes(model: ModelEntry) -> bytes:
    """The file's bytes, read once and checked, so that what is loaded is what was checked.

    Raises SetupError when the file is missing, unreadable or altered.
    """
    path = model.path()
    try:
        if path is None:
            raise FileNotFoundError(model.file)
        data = path.read_bytes()
    except OSError as e:
        raise SetupError(
            "model_missing", f"The model {model.id} is missing, so pictures cannot be checked.", REMEDY
        ) from e
    if hashlib.sha256(data).hexdigest() != model.sha256:
        message = f"The model {model.id} is not the one that this version came with, so it was not used."
        raise SetupError("model_altered", message, REMEDY)
    return data


def _entry(row: Mapping[str, Any], weights: Mapping[str, float]) -> ModelEntry:
    """One model. Raises KeyError, TypeError or ValueError when it is malformed or its detector has no weight."""
    table, bands, detector = row.get("calibration"), row.get("bands"), row.get("detector")
    if bands is not None and detector is None:
        raise ValueError("an operating point must name its detector")
    sha256 = str(row["sha256"])
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("sha256 must be 64 lower-case hex digits")
    return ModelEntry(
        id=str(row["id"]),
        file=str(row["file"]),
        package=row.get("package"),
        sha256=sha256,
        bytes=int(row["bytes"]),
        licence=str(row["licence"]),
        derived_from=str(row["derived_from"]),
        preprocess=str(row["preprocess"]),
        detector=detector,
        profile=Profile(row["profile"]) if "profile" in row else None,
        inputs={i["name"]: tuple(d if isinstance(d, int) else None for d in i["shape"]) for i in row["input"]},
        outputs=tuple(row["outputs"]),
        calibration=None if table is None else Calibration(tuple(table["raw"]), tuple(table["probability"])),
        bands=None if bands is None else _bands(bands, weights[str(detector)]),
        golden=row.get("golden"),
        companion=None if "companion" not in row else Companion(**row["companion"]),
    )


def _bands(table: Mapping[str, Any], weight: float) -> Bands:
    """One operating point. Raises TypeError when a rate is missing or unknown."""
    by_quality = {str(name): Rates(**rates) for name, rates in table.get("by_quality", {}).items()}
    return Bands(**{**table, "by_quality": by_quality, "weight": weight})
