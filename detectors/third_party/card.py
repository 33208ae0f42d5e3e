"""CARD.toml: how a model wants its pictures and what its output means, said by the user and checked here.

A wrong word in a card gives wrong numbers in silence, so nothing is guessed: unknown words, missing ones and values
that contradict each other are refused with the place named.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from detectors.errors import FileRefused

MAX_CARD_BYTES = 64 * 1024
LARGEST_SIDE = 1024  # px; networks for pictures take 224 to 512
LAYOUTS = ("NCHW", "NHWC")
CHANNELS = ("RGB", "BGR")
RESIZES = ("squash", "centre_crop", "letterbox", "five_crops")
CROPS = ("centre_crop", "five_crops")
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
OUTPUTS = ("probability", "sigmoid", "softmax")
ENDS = ("high", "low")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Card:
    """What is needed to run a model and to name it.

    `name` is safe as a folder's name. `width`, `height`: px of the network's input. `resize`: `squash` (to that size,
    whatever the shape), `centre_crop` and `five_crops` (corners and centre, averaged; both after the shorter side is
    brought to `shorter_side` px, or at the picture's own size where that is 0), `letterbox` (whole picture, rest filled
    with the grey `pad`, 0..255). A value v in 0..255 becomes (v / divide_by - mean) / std, by channel in the order of
    `channels`. `output` None is the only or first output; `index` counts its numbers from 0. `activation` makes that
    number a probability: none (`probability`), `sigmoid`, or `softmax` over all. `synthetic` says which end means it.
    """

    name: str
    source: str
    licence: str
    sha256: str | None
    width: int
    height: int
    layout: str
    channels: str
    resize: str
    shorter_side: int
    filter: str
    pad: int
    divide_by: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    output: str | None
    activation: str
    index: int
    synthetic: str

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Card:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError when the object is malformed."""
        values = {**obj, "mean": tuple(obj["mean"]), "std": tuple(obj["std"])}
        return _checked(cls(**values))


def parse(data: bytes) -> Card:
    """The card in the bytes of a TOML file. Raises FileRefused with the place and the reason."""
    if len(data) > MAX_CARD_BYTES:
        raise refused("the file is longer than 64 KB, which no card is")
    try:
        values = tomllib.loads(data.decode("utf-8"))
        top = _section(values, "", ("name", "source", "licence"), ("sha256", "input", "output"))
        given = _section(
            _table(values, "input"),
            "input.",
            ("width", "height", "layout", "channels", "resize", "filter", "divide_by", "mean", "std"),
            ("shorter_side", "pad"),
        )
        meant = _section(_table(values, "output"), "output.", ("activation", "synthetic"), ("name", "index"))
        return _checked(
            Card(
                name=safe_name(_text(top, "name")),
                source=_text(top, "source"),
                licence=_text(top, "licence"),
                sha256=None if "sha256" not in top else _text(top, "sha256").lower(),
                width=_whole(given, "width"),
                height=_whole(given, "height"),
                layout=_text(given, "layout"),
                channels=_text(given, "channels"),
                resize=_text(given, "resize"),
                shorter_side=_whole(given, "shorter_side", None if given.get("resize") in CROPS else 0),
                filter=_text(given, "filter"),
                pad=_whole(given, "pad", None if given.get("resize") == "letterbox" else 0),
                divide_by=_number(given["divide_by"], "divide_by"),
                mean=_three(given, "mean"),
                std=_three(given, "std"),
                output=None if "name" not in meant else _text(meant, "name"),
                activation=_text(meant, "activation"),
                index=_whole(meant, "index", None if meant.get("activation") == "softmax" else 0),
                synthetic=_text(meant, "synthetic"),
            )
        )
    except UnicodeDecodeError as e:
        raise refused("the file is not text in UTF-8") from e
    except (ValueError, TypeError, RecursionError) as e:  # tomllib's own errors are ValueErrors
        raise refused(str(e)) from e


def safe_name(text: str) -> str:
    """A short name of a-z, 0-9, dot, dash and underscore. Raises ValueError when nothing is left."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:40].strip(".-_")
    if not name:
        raise ValueError("name needs letters or digits (a to z, 0 to 9)")
    return name


def refused(why: str) -> FileRefused:
    """The error for a card that cannot be used."""
    return FileRefused(
        "card_invalid",
        f"The card cannot be used: {why}.",
        "Correct it and give the same command again. “counterproof models add --help” shows a whole card, and "
        "docs/bring-your-own-model.md explains every word.",
    )


def _checked(card: Card) -> Card:
    """The card itself. Raises ValueError when a value is none of those allowed, or contradicts another."""
    for field, allowed in (
        ("layout", LAYOUTS),
        ("channels", CHANNELS),
        ("resize", RESIZES),
        ("filter", FILTERS),
        ("activation", OUTPUTS),
        ("synthetic", ENDS),
    ):
        if getattr(card, field) not in allowed:
            raise ValueError(f"{field} is “{getattr(card, field)}”; it must be one of {', '.join(allowed)}")
    if card.name != safe_name(card.name):
        raise ValueError("name has signs that a folder's name should not have")
    for field in ("width", "height"):
        if not 16 <= getattr(card, field) <= LARGEST_SIDE:
            raise ValueError(f"{field} must be from 16 to {LARGEST_SIDE} pixels")
    if card.shorter_side and card.resize not in CROPS:
        raise ValueError(f"shorter_side has no meaning with resize = “{card.resize}”")
    if card.shorter_side and not max(card.width, card.height) <= card.shorter_side <= 2 * LARGEST_SIDE:
        raise ValueError(f"shorter_side must be 0 (no resizing) or from the crop's own size to {2 * LARGEST_SIDE}")
    if not 0 <= card.pad <= 255 or (card.pad and card.resize != "letterbox"):
        raise ValueError("pad is a grey from 0 to 255, and only for resize = “letterbox”")
    if not all(math.isfinite(v) for v in (card.divide_by, *card.mean, *card.std)):
        raise ValueError("divide_by, mean and std must be finite numbers")
    if card.divide_by <= 0 or min(card.std) <= 0:
        raise ValueError("divide_by and std must be above 0")
    if not 0 <= card.index < 1000:
        raise ValueError("index must be from 0 to 999")
    if card.sha256 is not None and not _SHA256.fullmatch(card.sha256):
        raise ValueError("sha256 must be 64 hexadecimal digits")
    return card


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    if not isinstance(found, dict):
        raise ValueError(f"the section [{name}] is missing")
    return found


def _section(
    values: Mapping[str, Any], prefix: str, needed: Collection[str], allowed: Collection[str]
) -> Mapping[str, Any]:
    """The values. Raises ValueError when one is missing, or has a name that nobody knows."""
    if missing := [key for key in needed if key not in values]:
        raise ValueError(f"{prefix}{missing[0]} is missing")
    if unknown := sorted(values.keys() - {*needed, *allowed}):
        raise ValueError(f"there is no {prefix}{unknown[0]}; allowed are {', '.join((*needed, *allowed))}")
    return values


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values[key]
    if not isinstance(value, str) or not 0 < len(value.strip()) <= 500 or not value.isprintable():
        raise ValueError(f"{key} must be text on one line, of at most 500 letters")
    return value.strip()


def _whole(values: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = values.get(key, default)
    if value is None:
        raise ValueError(f"{key} is missing")
    if type(value) is not int:
        raise ValueError(f"{key} must be a whole number")
    return value


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} must be a number")
    return float(value)


def _three(values: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    value = values[key]
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"{key} must be three numbers, one a channel")
    r, g, b = (_number(v, key) for v in value)
    return r, g, b
