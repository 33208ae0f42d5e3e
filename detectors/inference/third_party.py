"""Runs a model that a user has added, in a worker process of its own. The file is as hostile as any picture.

Before ONNX Runtime sees it, its structure is walked here: it may point to no other file and use no operator that
ONNX Runtime would have to load code for. What the runtime then makes of it is bounded by the worker's limits.
"""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from detectors.errors import FileRefused, FileUnreadable
from detectors.inference import sessions
from detectors.third_party.card import CROPS, Card, refused

Pixels = npt.NDArray[np.uint8]

MOST_OUTPUTS = 1000  # numbers: a classifier over ImageNet's classes is the widest head that a detector keeps
_MOST_PIXELS = 64_000_000  # of an enlarged strip
SURE = 1e-6  # probabilities nearer to 0 or 1 than this say no more than this
# Operators built into ONNX Runtime, by domain; "" is ONNX's own.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_DTYPES: Mapping[str, npt.DTypeLike] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_REMEDY = "Compare the card with the page that the model came from, and export the model again if need be."

# Where the messages of onnx.proto3 hold each other: field number -> kind of message. All else is passed over.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
}
_NODE_DOMAIN, _FUNCTION_DOMAIN = 7, 10
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_MOST_FIELDS, _DEEPEST = 3_000_000, 64


@dataclass(frozen=True, slots=True)
class Loaded:
    """A session that fits its card."""

    session: onnxruntime.InferenceSession
    card: Card
    feed: str
    dtype: npt.DTypeLike
    output: str


_loaded: dict[str, Loaded] = {}


def check(data: bytes, card: Card) -> dict[str, float]:
    """Load a model's bytes and run it on a grey picture: `raw` as in `ask`, and `ms`. Raises FileRefused."""
    loaded = load(data, card)
    grey = np.full((480, 640, 3), 128, np.uint8)
    score(loaded, grey)
    started = time.perf_counter()
    return {"raw": score(loaded, grey), "ms": (time.perf_counter() - started) * 1000}


def ask(path: str, sha256: str, card: Card, rgb: Pixels) -> float:
    """What the model says of a picture, (h, w, 3) uint8: the log-odds that it is synthetic by the model's own scale.

    The model is loaded at the first call and kept. Raises FileUnreadable when its file is missing or altered,
    FileRefused when it does not load or gives no number.
    """
    if sha256 not in _loaded:
        try:
            data = Path(path).read_bytes()
        except OSError as e:
            message = "The file of this model is missing or cannot be read."
            raise FileUnreadable("model_missing", message, "Remove the model and add it again.") from e
        if hashlib.sha256(data).hexdigest() != sha256:
            raise FileUnreadable(
                "model_altered",
                "The file of this model is not the one that was added, so it was not used.",
                "If you do not know who changed it, do not use it. Remove the model and add it again.",
            )
        _loaded[sha256] = load(data, card)
    return score(_loaded[sha256], rgb)


def load(data: bytes, card: Card) -> Loaded:
    """A session for a model's bytes. Raises FileRefused when it is not safe to load, or is not what the card says."""
    inspect(data)
    options = sessions.options()
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=[sessions.PROVIDER])
    except (*sessions.LOAD_ERRORS, MemoryError) as e:
        print(f"a model did not load: {e}", file=sys.stderr)
        raise _not_usable("ONNX Runtime could not load it") from e
    inputs, outputs = session.get_inputs(), {o.name: o for o in session.get_outputs()}
    if len(inputs) != 1:
        raise _not_usable(f"it takes {len(inputs)} inputs, and only models that take one picture can be used")
    if card.output is not None and card.output not in outputs:
        raise refused(f"the model has no output “{card.output}”; it has {', '.join(outputs)[:200]}")
    (feed,) = inputs
    rgb = (3, card.height, card.width) if card.layout == "NCHW" else (card.height, card.width, 3)
    shape = [d if isinstance(d, int) else None for d in feed.shape]
    if len(shape) != 4 or any(have not in (None, want) for have, want in zip(shape, (1, *rgb), strict=False)):
        wanted = " x ".join("any" if d is None else str(d) for d in shape)
        raise refused(f"it says {' x '.join(map(str, (1, *rgb)))} for the input, but the model takes {wanted}")
    if feed.type not in _DTYPES:
        raise _not_usable(f"its input is of the kind {feed.type}, and only 32 and 16 bit floats are supported")
    return Loaded(session, card, feed.name, _DTYPES[feed.type], card.output or next(iter(outputs)))


def score(loaded: Loaded, rgb: Pixels) -> float:
    """The log-odds of `synthetic`, averaged over the card's views of the picture. Raises FileRefused."""
    return float(np.mean([_one(loaded, view) for view in views(rgb, loaded.card)]))


def views(rgb: Pixels, card: Card) -> list[Pixels]:
    """The parts of a picture that the network is shown, each (height, width, 3) uint8, by the card's rule."""
    image, size, how = Image.fromarray(rgb), (card.width, card.height), _FILTERS[card.filter]
    if card.resize == "squash":
        return [np.asarray(image.resize(size, how))]
    if card.resize == "letterbox":
        scale = min(card.width / image.width, card.height / image.height)
        fitted = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), how)
        sheet = Image.new("RGB", size, (card.pad,) * 3)
        sheet.paste(fitted, ((card.width - fitted.width) // 2, (card.height - fitted.height) // 2))
        return [np.asarray(sheet)]
    scale = card.shorter_side / min(image.size) if card.shorter_side else 1.0
    scale = max(scale, card.width / image.width, card.height / image.height)
    if image.width * image.height * scale * scale > _MOST_PIXELS:
        message = "The picture is too long and thin for this model."
        raise FileRefused("picture_too_long", message, "Cut the part that matters out of it and check that.")
    if scale != 1.0:
        image = image.resize((round(image.width * scale), round(image.height * scale)), how)
    right, low = image.width - card.width, image.height - card.height
    corners = [(right // 2, low // 2)]
    if card.resize == CROPS[1]:
        corners += [(0, 0), (right, 0), (0, low), (right, low)]
    return [np.asarray(image.crop((x, y, x + card.width, y + card.height))) for x, y in corners]


def tensor(view: Pixels, card: Card, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """One view as the network takes it: one picture in a batch, in the card's layout and scale."""
    values = view.astype(np.float32)
    if card.channels == "BGR":
        values = values[:, :, ::-1]
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    values = (values / np.float32(card.divide_by) - mean) / std
    if card.layout == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[np.newaxis].astype(dtype))


def _one(loaded: Loaded, view: Pixels) -> float:
    card = loaded.card
    try:
        (out,) = loaded.session.run([loaded.output], {loaded.feed: tensor(view, card, loaded.dtype)})
    except (*sessions.LOAD_ERRORS, MemoryError) as e:
        print(f"a model did not run: {e}", file=sys.stderr)
        raise _not_usable("it stopped with an error while it looked at a picture") from e
    if not isinstance(out, np.ndarray) or out.dtype.kind != "f" or out.size > MOST_OUTPUTS:
        raise _not_usable(f"it must give at most {MOST_OUTPUTS} numbers for a picture, and gives something else")
    numbers = out.astype(np.float64).ravel()
    if card.index >= numbers.size:
        raise refused(f"index is {card.index}, but the model gives {numbers.size} numbers, counted from 0")
    if not np.isfinite(numbers).all():
        raise _not_usable("what it gives is not a number (NaN or infinite)")
    odds = _log_odds(numbers, card)
    return odds if card.synthetic == "high" else -odds


def _log_odds(numbers: npt.NDArray[np.float64], card: Card) -> float:
    """The chosen number as log-odds, at most those of `SURE` either way. Raises FileRefused."""
    value = float(numbers[card.index])
    if card.activation == "probability":
        if not -1e-3 <= value <= 1 + 1e-3:
            raise refused(f"it says that the output is a probability, but it is {value:.3g}; see sigmoid and softmax")
        value = min(max(value, SURE), 1 - SURE)
        value = math.log(value / (1 - value))
    elif card.activation == "softmax":
        others = np.delete(numbers, card.index)
        if not others.size:
            raise refused("softmax needs at least two numbers, and the model gives one; see sigmoid")
        value -= float(others.max() + np.log(np.exp(others - others.max()).sum()))
    most = math.log((1 - SURE) / SURE)
    return min(max(value, -most), most)


def inspect(data: bytes) -> None:
    """Walk the structure of an ONNX file without building it. Raises FileRefused.

    Refused: what is no ONNX file or is cut short, tensors that lie in other files (or, by a trick, in memory), and
    operators of domains that are neither built in nor defined in the file itself.
    """
    if data[4:8] == b"ORTM":
        raise _not_usable("it is in ONNX Runtime's own format, and only .onnx files can be used")
    used: set[str] = set()
    defined: set[str] = set()
    nodes = fields = 0
    waiting = [("model", 0, len(data), 0)]
    while waiting:
        kind, start, end, depth = waiting.pop()
        if depth > _DEEPEST:
            raise _not_usable("its parts are nested deeper than those of any real model")
        nodes += kind == "node"
        domain = ""
        for number, value in _fields(data, start, end):
            fields += 1
            if fields > _MOST_FIELDS:
                raise _not_usable("it has more parts than any real model")
            if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
                raise _not_usable("its numbers lie in other files, and a model must be one file")
            if isinstance(value, int):
                continue
            if (inner := _INSIDE[kind].get(number)) is not None:
                waiting.append((inner, *value, depth + 1))
            elif (kind, number) in (("node", _NODE_DOMAIN), ("function", _FUNCTION_DOMAIN)):
                domain = data[value[0] : value[1]].decode("utf-8", "replace")
        (defined if kind == "function" else used).add(domain)
    if not nodes:
        raise _not_usable("it is not an ONNX model, or an empty one")
    if foreign := sorted(used - defined - _DOMAINS):
        raise _not_usable(f"it needs operators that are not built in ({foreign[0][:60]!r})")


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
    """The fields of one protobuf message: number, and a varint's value or where the bytes lie. Raises FileRefused."""
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if not 0 < key <= 0xFFFFFFFF:  # readers that cut a longer key short would see another field here
            raise _broken()
        if wire == 0:
            value, at = _varint(data, at, end)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at, end)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise _broken()
        if size > end - at:
            raise _broken()
        # Only length-prefixed fields can hold a message or text.
        yield number, (at, at + size) if wire == 2 else 0
        at += size


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _broken()
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _broken()


def _broken() -> FileRefused:
    return _not_usable("it is not an ONNX file, or part of it is missing")


def _not_usable(why: str) -> FileRefused:
    """The error for a model that cannot be used."""
    return FileRefused("model_not_usable", f"This model cannot be used: {why}.", _REMEDY)
