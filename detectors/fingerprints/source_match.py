"""Source match: which of a person's own photos a picture was made from, and which part of it was kept or replaced.

For others: give a Scanner `ScanOptions(references=(folder_or_file, …))`; each report then has a finding `source_match`
(Role.SOURCE), made anew in every scan. Its score is 1.0 where the source was found and 0.0 where it was looked for and
not found. Its regions are of kind `kept` and `altered`, none in an unaltered copy. Its details: `source` (reference,
inliers, mirrored), `taken` (ISO date or ""), `transform` (2 x 3, from the photo's full-size pixels to the picture's),
`kept`, `altered`, `shown` and `beyond` (shares of area, 0..1), `agreement` (0..1), `unaltered` (bool) and, where
something was replaced, `map` (an Overlay, 255 = replaced). `Scanner.read_references()` reads the photos at once, and
says which of them could not be read and why.

"Made from" means: after one similarity (shift, scale, mirror, a small turn, a slightly changed aspect ratio) part of
the picture agrees with the photo to a fraction of a pixel. Another photo of the same person or place does not, and a
logo that two photos share is too small an area to count, unless a face lies in it.

Features and comparisons are made in worker processes from the files' bytes. What is here works on plain arrays, in the
parent: it needs NumPy and no OpenCV, and is imported only where reference photos are given. The features are kept in
memory and nowhere else: they identify pictures.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from detectors import wording
from detectors.errors import CounterproofError, FileUnreadable, SetupError
from detectors.finding import MAX_SIDE, Finding, Overlay, Region, Role, State
from detectors.inputs import Input, find_inputs, read_file
from detectors.intake.limits import Limits
from detectors.intake.pool import Pool
from detectors.intake.process import WorkerDied
from detectors.intake.protocol import ProtocolError, error_of, malformed_answer

NAME = "source_match"
MOST_FEATURES = 1500
FEWEST_FEATURES = 20  # of a picture or a photo; with fewer there is nothing to match
_BYTES = 4 * 4 + 128  # of one feature

# How far a picture may be turned against the photo, and enlarged or reduced.
LARGEST_TURN = 20.0  # degrees
LARGEST_GROWTH = 10.0
_MOST_ANISOTROPY, _MOST_SHEAR = 1.2, 0.02

# What counts as found. Chosen on the `dev` half of the sources of tests/benchmarks/bench_source_match.py.
INLIERS, RESIDUAL, AGREEMENT, AREA = 16, 0.5, 0.85, 0.06
# The same where less than AREA agrees: then a whole face must lie in it.
FACE_INLIERS, FACE_RESIDUAL, FACE_AGREEMENT, FACE_AREA, FACE_KEPT = 8, 0.35, 0.87, 0.01, 0.7

_MOST_REGIONS = 64
_CANDIDATES = 5  # photos looked at closely, of those that most features speak for, for each way round
_COMPARED = 3  # photos compared pixel by pixel
_CELLS, _PROBED = 256, 4
_ASKING = 800  # of a picture's features, which come spread over all its parts
_HYPOTHESES = 256
_TURN = round((LARGEST_TURN + 5) * 256 / 360)  # in 256 steps of a whole turn

Points = npt.NDArray[np.float32]
Descriptors = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Features:
    """A picture's features: `points` (n, 4) x, y, diameter in full-size px, angle in degrees; descriptors (n, 128).

    `width` is the picture's, in full-size px. `taken` is the date that its EXIF names, or None.
    """

    points: Points
    descriptors: Descriptors
    width: int
    taken: datetime.date | None = None

    def mirrored(self) -> Features:
        """The features of the mirrored picture: exact, so nothing is computed twice."""
        points = self.points.copy()
        points[:, 0] = self.width - 1 - points[:, 0]
        points[:, 3] = (180 - points[:, 3]) % 360
        # A descriptor is 4 rows x 4 columns x 8 directions in its keypoint's own frame.
        flipped = self.descriptors.reshape(-1, 4, 4, 8)[:, ::-1][..., (-np.arange(8)) % 8]
        return replace(self, points=points, descriptors=np.ascontiguousarray(flipped.reshape(-1, 128)))


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference photo: where it lies, the SHA-256 (hex) of what was read, and its features."""

    path: str
    sha256: str
    features: Features


@dataclass(frozen=True, slots=True)
class Alignment:
    """How a picture lies on a photo. `transform` (2, 3): px of the photo to px of the (possibly mirrored) picture.

    `inliers` counts matched places, `residual` is their median error in px of the coarser of the two.
    """

    transform: Doubles
    inliers: int
    residual: float


def match(picture: Features, photo: Features) -> Alignment | None:
    """The similarity under which most of the picture's features lie on the photo's, or None where under 4 agree."""
    i, j = _pairs(picture.descriptors, photo.descriptors)
    return align(photo.points[j], picture.points[i])


def _pairs(a: Descriptors, b: Descriptors) -> tuple[Indices, Indices]:
    """The features that are each other's nearest, and clearly nearer than the next (Lowe 2004, with a loose ratio)."""
    if min(len(a), len(b)) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    alike = a.astype(np.float32) @ b.astype(np.float32).T / 512**2
    rows = np.arange(len(a))
    best, back = alike.argmax(1), alike.argmax(0)
    first = 2 - 2 * alike[rows, best]
    alike[rows, best] = -1
    second = 2 - 2 * alike.max(1)
    chosen = np.flatnonzero((back[best] == rows) & (first < 0.92**2 * second))
    return chosen, best[chosen]


def align(photo: Points, picture: Points) -> Alignment | None:
    """`match` for features that are paired already, both (n, 4).

    Each pair gives a whole similarity, so each is tried as one hypothesis; those that most others agree with are
    fitted to these, with tolerances that shrink to a pixel. No chance is involved.
    """
    turn = (picture[:, 3] - photo[:, 3] + 180) % 360 - 180
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.log(picture[:, 2] / photo[:, 2])
    some = np.flatnonzero((np.abs(turn) < LARGEST_TURN + 10) & (np.abs(growth) < math.log(LARGEST_GROWTH)))
    if len(some) < 4:
        return None
    turn, growth, sizes = np.deg2rad(turn[some]), growth[some], picture[some, 2]
    p, q = photo[some, :2].astype(np.float64), picture[some, :2].astype(np.float64)
    reach = math.hypot(*np.ptp(q, axis=0)) + 1
    near = _agreeing(p, q, turn, growth, reach)
    best: tuple[int, Doubles, Indices, Doubles] | None = None
    tried: set[bytes] = set()
    for h in np.argsort(-near.sum(1), kind="stable")[:48]:
        inliers = np.flatnonzero(near[h])
        if len(inliers) < 4 or len(tried) == 12:
            break
        if (key := near[h].tobytes()) in tried:
            continue
        tried.add(key)
        fitted = _fitted(p, q, sizes, growth, inliers, reach)
        if fitted is not None and (best is None or fitted[0] > best[0]):
            best = fitted
    if best is None:
        return None
    count, transform, inliers, errors = _stretched(best, p, q, sizes, growth, reach)
    linear = transform[:, :2]
    if abs(math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))) > LARGEST_TURN:
        return None
    return Alignment(transform, count, float(np.median(errors)) / max(1.0, _growth(transform)))


def _agreeing(p: Doubles, q: Doubles, turn: Floats, growth: Floats, reach: float) -> npt.NDArray[np.bool_]:
    """(m, n): which of n pairs agree, roughly, with the similarity of each of m, which are all or a spread of many."""
    tried = np.linspace(0, len(p) - 1, min(len(p), _HYPOTHESES)).astype(np.int64)
    scale = np.exp(growth[tried])[:, None]
    cos, sin = scale * np.cos(turn[tried])[:, None], scale * np.sin(turn[tried])[:, None]
    dx, dy = p[None, :, 0] - p[tried, None, 0], p[None, :, 1] - p[tried, None, 1]
    off = np.hypot(
        cos * dx - sin * dy + q[tried, None, 0] - q[None, :, 0], sin * dx + cos * dy + q[tried, None, 1] - q[None, :, 1]
    )
    # One feature's own scale and angle are rough, so what is far from it may lie further off.
    allowed = 0.05 * reach + 0.075 * np.hypot(dx, dy) * scale
    alike = np.abs(growth[tried, None] - growth[None]) < 0.35
    return np.asarray((off < allowed) & alike & (np.abs(turn[tried, None] - turn[None]) < math.radians(20)))


def _fitted(
    p: Doubles, q: Doubles, sizes: Floats, growth: Floats, inliers: Indices, reach: float
) -> tuple[int, Doubles, Indices, Doubles] | None:
    """Distinct inliers, transform, inliers and their errors after five fits, or None when under 4 are left."""
    transform = np.zeros((2, 3))
    errors = np.zeros(0)
    for tolerance in (0.04 * reach, 0.02 * reach, 0.01 * reach, 0.0, 0.0):
        fitted = _similarity(p[inliers], q[inliers])
        if fitted is None:
            return None
        transform = fitted
        inliers, errors = _inliers(transform, p, q, sizes, growth, tolerance)
        if len(inliers) < 4:
            return None
    return _distinct(p[inliers]), transform, inliers, errors


def _stretched(
    best: tuple[int, Doubles, Indices, Doubles], p: Doubles, q: Doubles, sizes: Floats, growth: Floats, reach: float
) -> tuple[int, Doubles, Indices, Doubles]:
    """The same with width and height scaled apart, where more features agree then and no shear comes with it."""
    count, transform, inliers, errors = best
    if count < 8:
        return best
    for tolerance in (0.04 * reach, 0.02 * reach, 0.01 * reach, 0.0, 0.0):
        inliers, errors = _inliers(transform, p, q, sizes, growth, tolerance)
        if len(inliers) < 8:
            return best
        solved = np.linalg.lstsq(np.column_stack([p[inliers], np.ones(len(inliers))]), q[inliers], rcond=None)[0]
        transform = np.ascontiguousarray(solved.T)
    linear = transform[:, :2]
    widths = np.linalg.svd(linear, compute_uv=False)
    lengths = np.linalg.norm(linear, axis=0)
    shear = abs(float(linear[:, 0] @ linear[:, 1])) / max(1e-9, float(lengths[0] * lengths[1]))
    if np.linalg.det(linear) <= 0 or widths[0] > _MOST_ANISOTROPY * widths[1] or shear > _MOST_SHEAR:
        return best
    inliers, errors = _inliers(transform, p, q, sizes, growth, 0.0)
    if _distinct(p[inliers]) <= 1.1 * count + 2:
        return best
    return _distinct(p[inliers]), transform, inliers, errors


def _similarity(p: Doubles, q: Doubles) -> Doubles | None:
    """The least-squares similarity from p to q, both (n, 2), as (2, 3); None where all of p is one place."""
    mp, mq = p.mean(0), q.mean(0)
    x, y = p - mp, q - mq
    size = float((x**2).sum())
    if size < 1e-6:
        return None
    a, b = float((x * y).sum()) / size, float((x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]).sum()) / size
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, mq - linear @ mp])


def _inliers(
    transform: Doubles, p: Doubles, q: Doubles, sizes: Floats, growth: Floats, tolerance: float
) -> tuple[Indices, Doubles]:
    """Which pairs the transform maps onto each other, and by how many px it misses. Large features are rougher."""
    scale = _growth(transform)
    errors = np.linalg.norm(p @ transform[:, :2].T + transform[:, 2] - q, axis=1)
    allowed = np.maximum(tolerance, max(1.0, scale) + 0.06 * sizes)
    chosen = np.flatnonzero((errors < allowed) & (np.abs(growth - math.log(max(scale, 1e-9))) < 0.5))
    return chosen, errors[chosen]


def _growth(transform: Doubles) -> float:
    return math.sqrt(abs(float(np.linalg.det(transform[:, :2]))))


def _distinct(p: Doubles) -> int:
    """How many places: one place can have several features."""
    return len(np.unique(np.round(p).astype(np.int64) // 2, axis=0))


class Index:
    """Finds the photos that share most features with a picture without comparing all of them.

    Descriptors lie in cells around `_CELLS` means (k-means, seeded); a picture's are compared with those of the
    nearest `_PROBED` cells, at like angles only, and vote for the photos of their nearest by how much nearer these are
    than the rest (as in local naive Bayes nearest neighbour: McCann and Lowe, CVPR 2012).
    """

    def __init__(self, photos: Sequence[Features]) -> None:
        self._photos = len(photos)
        everything = np.concatenate([f.descriptors for f in photos])
        owners = np.repeat(np.arange(len(photos)), [len(f.descriptors) for f in photos])
        angles = np.concatenate([f.points[:, 3] for f in photos])
        self._means = _means(everything, max(1, min(_CELLS, len(everything) // 64)))
        cells = np.concatenate(
            [
                _nearest(everything[at : at + 16384].astype(np.float32), self._means, 1)[:, 0]
                for at in range(0, len(everything), 16384)
            ]
        )
        order = np.argsort(cells, kind="stable")
        self._starts = np.searchsorted(cells[order], np.arange(len(self._means) + 1))
        self._descriptors, self._owners, self._angles = everything[order], owners[order], _steps(angles[order])

    def candidates(self, picture: Features, most: int) -> list[int]:
        """The numbers of at most `most` photos, most votes first."""
        if self._photos <= most:
            return list(range(self._photos))
        wanted, angles = picture.descriptors[:_ASKING].astype(np.float32), _steps(picture.points[:_ASKING, 3])
        probed = _nearest(wanted, self._means, min(_PROBED, len(self._means)))
        # For each feature and each cell that it asks: how like the likest one there is, and whose that is.
        likest = np.zeros(probed.shape, np.float32)
        owners = np.zeros(probed.shape, np.int64)
        for cell in range(len(self._means)):
            asking, place = np.nonzero(probed == cell)
            here = slice(int(self._starts[cell]), int(self._starts[cell + 1]))
            if not len(asking) or here.stop == here.start:
                continue
            alike = wanted[asking] @ self._descriptors[here].astype(np.float32).T
            # Angles wrap around in a byte.
            turned = angles[asking][:, None] - self._angles[here][None] + np.uint8(_TURN)
            alike[turned > 2 * _TURN] = 0
            best = alike.argmax(1)
            likest[asking, place], owners[asking, place] = alike[np.arange(len(asking)), best], self._owners[here][best]
        # The least of them stands for what is found where the feature is in none of the photos.
        votes = (likest - likest.min(1, keepdims=True)) ** 2
        counted = np.bincount(owners.ravel(), votes.ravel(), minlength=self._photos)
        return [int(n) for n in np.argsort(-counted, kind="stable")[:most] if counted[n] > 0]


def _steps(degrees: Floats) -> Descriptors:
    """Angles in 256 steps of a turn."""
    return (np.round(degrees * (256 / 360)).astype(np.int64) % 256).astype(np.uint8)


def _means(descriptors: Descriptors, count: int) -> Floats:
    """(count, 128) unit means times 512 of a sample, by four rounds of k-means on the sphere."""
    rng = np.random.default_rng(0)
    sample = descriptors[rng.permutation(len(descriptors))[: 40 * count]].astype(np.float32)
    means = sample[:count].copy()
    for _ in range(4):
        nearest = _nearest(sample, means, 1)[:, 0]
        sums = np.zeros_like(means)
        np.add.at(sums, nearest, sample)
        sizes = np.linalg.norm(sums, axis=1, keepdims=True)
        means = np.where(sizes > 0, sums / np.maximum(sizes, 1e-6) * 512, means).astype(np.float32)
    return means


def _nearest(descriptors: Floats, means: Floats, count: int) -> Indices:
    """(n, count): the numbers of the nearest means, in no order."""
    alike = descriptors @ means.T
    if count == 1:
        return np.asarray(alike.argmax(1)[:, None], np.int64)
    return np.asarray(np.argpartition(-alike, count - 1, axis=1)[:, :count], np.int64)


def features_of(header: Mapping[str, Any], payload: bytes) -> Features:
    """The checked features from a worker's answer. Raises ProtocolError."""
    try:
        about = header["features"]
        count, width = int(about["count"]), int(about["width"])
        taken = _date(str(about["taken"])) if about["taken"] else None
    except (KeyError, TypeError, ValueError, OverflowError) as e:
        raise ProtocolError("malformed features") from e
    if not 0 <= count <= MOST_FEATURES or len(payload) != count * _BYTES or not 0 < width <= MAX_SIDE:
        raise ProtocolError("features of the wrong size")
    points = np.frombuffer(payload, "<f4", count * 4).reshape(-1, 4).astype(np.float32)
    descriptors = np.frombuffer(payload, np.uint8, count * 128, count * 16).reshape(-1, 128)
    if not (np.isfinite(points).all() and (np.abs(points) <= MAX_SIDE).all() and (points[:, 2] > 0).all()):
        raise ProtocolError("a feature lies nowhere")
    return Features(points, descriptors, width, taken)


@dataclass(frozen=True, slots=True)
class Match:
    """A photo and a picture compared: the checked answer of a worker. See source_compare.Compared."""

    photo: Reference
    alignment: Alignment
    mirrored: bool
    transform: Doubles
    agreement: float
    kept: float
    textured: float
    shown: float
    beyond: float
    face: float
    regions: tuple[Region, ...]
    altered_map: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        """Whether the picture was made from the photo, going by all measures together."""
        a = self.alignment
        if self.textured >= AREA:
            return a.inliers >= INLIERS and a.residual <= RESIDUAL and self.agreement >= AGREEMENT
        return (
            a.inliers >= FACE_INLIERS
            and a.residual <= FACE_RESIDUAL
            and self.agreement >= FACE_AGREEMENT
            and self.textured >= FACE_AREA
            and self.face >= FACE_KEPT
        )


def checked_comparison(header: Mapping[str, Any], payload: bytes) -> dict[str, Any]:  # noqa: ARG001 - there is none
    """The fields of a Match from a worker's answer. Raises ProtocolError."""
    try:
        about = header["compared"]
        shares = {k: float(about[k]) for k in ("agreement", "kept", "textured", "shown", "beyond", "face")}
        boxes = {kind: [[int(v) for v in box] for box in about[f"{kind}_boxes"]] for kind in ("kept", "altered")}
        Overlay.from_json(about["altered_map"])
    except (KeyError, TypeError, ValueError, OverflowError) as e:
        raise ProtocolError("malformed comparison") from e
    if not all(0 <= v <= 1 for v in shares.values()):
        raise ProtocolError("a share lies outside 0..1")
    regions = []
    for kind, found in boxes.items():
        for box in found:
            if len(box) != 4 or min(box) < 0 or max(box) > MAX_SIDE or len(found) > _MOST_REGIONS:
                raise ProtocolError("a region lies nowhere")
            regions.append(Region(kind, (box[0], box[1], box[2], box[3])))
    return {**shares, "regions": tuple(regions), "altered_map": dict(about["altered_map"])}


def listed(paths: Sequence[str]) -> list[Input]:
    """The files behind the paths of reference photos, unopened. Raises SetupError when none can be opened."""
    inputs = list(find_inputs(paths))
    if not inputs:
        raise _no_photos()
    if all(i.error is not None for i in inputs):
        raise _none_usable(inputs)
    return inputs


class Sources:
    """The reference photos of one Scanner, and the workers that read and compare them. `close` it."""

    def __init__(
        self, paths: Sequence[str], limits: Limits, jobs: int, threads: int, command: Sequence[str] | None = None
    ) -> None:
        """`paths` are files and folders; `limits` are those of one file."""
        self.problems: tuple[Input, ...] = ()
        self._paths, self._limits, self._jobs = tuple(paths), limits, jobs
        # A comparison takes two files at once.
        both = replace(limits, max_bytes=2 * limits.max_bytes, seconds=2 * limits.seconds)
        self._pool = Pool(both, threads, command)
        self._photos: list[Reference] = []
        self._index: Index | None = None
        self._reading = threading.Lock()

    def read(self, over: Callable[[], bool] = lambda: False) -> tuple[Input, ...]:
        """Read all photos, once; those that could not be used, each with the reason.

        Raises SetupError when there is none to compare with, CancelledError when `over` says so first.
        """
        with self._reading:
            if self._index is not None:
                return self.problems
            inputs = listed(self._paths)
            with ThreadPoolExecutor(self._jobs, thread_name_prefix="references") as threads:
                read = list(threads.map(lambda i: self._read(i, over), inputs))
            if over():
                raise CancelledError
            unique = {r.sha256: r for r in reversed([r for r in read if isinstance(r, Reference)])}
            self._photos = list(reversed(unique.values()))
            self.problems = tuple(r for r in read if isinstance(r, Input))
            if not self._photos:
                raise _none_usable(self.problems)
            self._index = Index([r.features for r in self._photos])
            return self.problems

    @property
    def used(self) -> tuple[str, ...]:
        """The paths of the photos that were read, each content once."""
        return tuple(photo.path for photo in self._photos)

    def finding(self, data: bytes, sha256: str, over: Callable[[], bool] = lambda: False) -> Finding:
        """Whether the picture in these bytes was made from one of the photos. Raises CancelledError, SetupError."""
        started = time.perf_counter()
        self.read(over)
        try:
            finding = self._finding(data, sha256, over)
        except CounterproofError as e:
            if over():
                raise CancelledError from e
            if isinstance(e, SetupError):
                raise
            finding = Finding(NAME, Role.SOURCE, State.FAILED, None, wording.source_failed(e.message))
        return finding.timed((time.perf_counter() - started) * 1000)

    def kill_busy(self) -> None:
        """End the workers that have a file in hand."""
        self._pool.kill_busy()

    def finish(self, seconds: float) -> None:
        """Wait for those that have a file in hand, then end them."""
        self._pool.finish(seconds)

    def close(self) -> None:
        """End all workers."""
        self._pool.close()

    def _read(self, item: Input, over: Callable[[], bool]) -> Reference | Input:
        """One photo's features, or the reason why there are none."""
        try:
            if over():
                raise CancelledError
            if item.error is not None:
                raise item.error
            data = read_file(item.path, self._limits)
            sha256 = hashlib.sha256(data).hexdigest()
            found = self._features(data, sha256, over)
            if len(found.points) < FEWEST_FEATURES:
                raise _too_plain()
        except CancelledError:
            return Input(item.path)
        except SetupError:
            raise
        except CounterproofError as e:
            return Input(item.path, e)
        return Reference(item.path, sha256, replace(found, taken=found.taken or date_in(item.path)))

    def _features(self, data: bytes, sha256: str, over: Callable[[], bool]) -> Features:
        return self._asked({"op": "source_features", "sha256": sha256}, data, over, features_of)

    def _asked(
        self,
        request: Mapping[str, Any],
        data: bytes,
        over: Callable[[], bool],
        checked: Callable[[Mapping[str, Any], bytes], T],
    ) -> T:
        """A worker's checked answer. Raises CounterproofError, CancelledError."""
        try:
            with self._pool.worker(over) as worker:
                header, payload = worker.ask(request, data)
                try:
                    if "error" not in header:
                        return checked(header, payload)
                    error = error_of(header)
                except ProtocolError as e:
                    raise WorkerDied(malformed_answer()) from e
        except WorkerDied as e:
            raise e.error from e
        raise error

    def _finding(self, data: bytes, sha256: str, over: Callable[[], bool]) -> Finding:
        picture = self._features(data, sha256, over)
        if len(picture.points) < FEWEST_FEATURES:
            return Finding(NAME, Role.SOURCE, State.NOT_APPLICABLE, None, wording.SOURCE_TOO_PLAIN)
        found = [m for m in self._compared(data, sha256, picture, over) if m.holds]
        if not found:
            says = wording.source_not_found(len(self._photos))
            return Finding(NAME, Role.SOURCE, State.OK, 0.0, says, details={"references": len(self._photos)})
        best = max(found, key=lambda m: (round(m.textured, 2), m.alignment.inliers))
        return worded(best)

    def _compared(self, data: bytes, sha256: str, picture: Features, over: Callable[[], bool]) -> list[Match]:
        """The photos that the picture may have been made from, compared with it."""
        aligned = self.aligned(picture)
        compared = []
        for reference, alignment, mirrored in aligned[:_COMPARED]:
            photo = read_file(reference.path, self._limits)
            if hashlib.sha256(photo).hexdigest() != reference.sha256:
                raise _changed(reference.path)
            whole = unmirrored(alignment.transform, picture.width) if mirrored else alignment.transform
            request = {
                "op": "source_compare",
                "sha256": sha256,
                "photo": {"sha256": reference.sha256, "bytes": len(photo)},
                "transform": whole.tolist(),
            }
            header = self._asked(request, photo + data, over, checked_comparison)
            compared.append(Match(reference, alignment, mirrored, whole, **header))
        return compared

    def aligned(self, picture: Features) -> list[tuple[Reference, Alignment, bool]]:
        """The photos on which the picture can be laid, and whether it is mirrored; most inliers first."""
        if self._index is None:
            return []
        found = []
        for mirrored, way in ((False, picture), (True, picture.mirrored())):
            for number in self._index.candidates(way, _CANDIDATES):
                alignment = match(way, self._photos[number].features)
                if alignment is not None and alignment.inliers >= FACE_INLIERS:
                    found.append((self._photos[number], alignment, mirrored))
        return sorted(found, key=lambda f: -f[1].inliers)


def worded(found: Match) -> Finding:
    """What a match says. `unaltered`: nothing in the picture differs from the photo, as far as can be seen."""
    altered = tuple(r for r in found.regions if r.kind == "altered")
    taken = found.photo.features.taken
    says = wording.source_found(
        os.path.basename(found.photo.path),
        taken,
        found.mirrored,
        found.kept,
        [_place(r.box, found.altered_map) for r in altered],
        found.beyond,
        found.shown,
    )
    details: dict[str, Any] = {
        "source": {
            "reference": found.photo.path,
            "inliers": found.alignment.inliers,
            "mirrored": found.mirrored,
        },
        "taken": "" if taken is None else taken.isoformat(),
        "transform": np.round(found.transform, 5).tolist(),
        "kept": round(found.kept, 4),
        "altered": round(1 - found.kept, 4),
        "shown": round(found.shown, 4),
        "beyond": round(found.beyond, 4),
        "agreement": round(found.agreement, 4),
        "unaltered": not altered,
    }
    if altered:
        details["map"] = dict(found.altered_map)
    # Of an unaltered copy there is nothing to mark.
    return Finding(NAME, Role.SOURCE, State.OK, 1.0, says, found.regions if altered else (), details=details)


def _place(box: tuple[int, int, int, int], overlay: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """A box as shares of the picture: x, y, width, height."""
    _, _, width, height = overlay["box"]
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height


def unmirrored(transform: Doubles, width: int) -> Doubles:
    """From px of the photo to px of the picture as it is, for a transform to the mirrored picture."""
    return np.concatenate([[[0.0, 0.0, width - 1.0]] - transform[:1], transform[1:]])


_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.: ]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")


def date_in(path: str) -> datetime.date | None:
    """The date that a file's name begins with or holds (2025-05-03, 20250503), or None."""
    return _date(os.path.basename(path))


def _date(text: str) -> datetime.date | None:
    """The first whole date in a text, that of EXIF (2025:05:03 10:11:12) included, or None."""
    found = _DAY.search(text)
    try:
        return None if found is None else datetime.date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def _no_photos() -> SetupError:
    return SetupError(
        "no_references",
        "There is no file in the folder of your own photos.",
        "Give a folder with at least one photo: --references FOLDER.",
    )


def _none_usable(problems: Sequence[Input]) -> SetupError:
    first = next((p.error for p in problems if p.error is not None), None)
    why = "" if first is None else f" The first: {first.message}"
    return SetupError(
        "no_usable_references",
        f"None of the {len(problems)} files in the folder of your own photos can be used.{why}",
        "Give a folder with at least one photo that can be opened.",
    )


def _too_plain() -> FileUnreadable:
    return FileUnreadable(
        "reference_too_plain",
        "This photo has too little detail to find it again in another picture.",
        "Use the largest and sharpest copy of it that you have.",
    )


def _changed(path: str) -> FileUnreadable:
    return FileUnreadable(
        "reference_changed",
        f"Your photo “{os.path.basename(path)}” was changed while the pictures were checked.",
        "Run the check again.",
    )
