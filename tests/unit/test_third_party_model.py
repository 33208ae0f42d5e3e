"""Added models: cards are checked word for word, hostile files are refused, and pictures reach the network as said."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from desktop import models_cli
from detectors.errors import FileRefused, FileUnreadable
from detectors.inference import third_party
from detectors.third_party import card as cards
from detectors.third_party.card import Card
from tests import onnx_files as onnx
from tests.conftest import ROOT

CARD = """
name = "Mean brightness 1.0"
source = "made for this test"
licence = "CC0"

[input]
width = 32
height = 32
layout = "NCHW"
channels = "RGB"
resize = "squash"
filter = "bicubic"
divide_by = 255
mean = [0, 0, 0]
std = [1, 1, 1]

[output]
activation = "sigmoid"
synthetic = "high"
"""


def card(*changes: tuple[str, str]) -> Card:
    text = CARD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return cards.parse(text.encode())


def test_a_card_is_read() -> None:
    found = card(("width = 32", "width = 48"), ('"sigmoid"', '"sigmoid"\nname = "out"'))
    assert (found.name, found.source, found.licence) == ("mean-brightness-1.0", "made for this test", "CC0")
    assert (found.width, found.height, found.output, found.index, found.filter) == (48, 32, "out", 0, "bicubic")
    assert Card.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('licence = "CC0"', "", "licence is missing"),
        ('licence = "CC0"', 'license = "CC0"', "licence is missing"),
        ('filter = "bicubic"', "", "input.filter is missing"),
        ("[output]", 'colour = "RGB"\n[output]', "there is no input.colour"),
        ("[output]", "[outputs]", "there is no outputs"),
        ("width = 32", 'width = "32"', "width must be a whole number"),
        ("width = 32", "width = 4096", "width must be from 16 to 1024"),
        ('"NCHW"', '"NCWH"', "must be one of NCHW, NHWC"),
        ('"squash"', '"centre_crop"', "shorter_side is missing"),
        ('"squash"', '"centre_crop"\nshorter_side = 16', "shorter_side must be 0"),
        ('"squash"', '"squash"\nshorter_side = 256', "shorter_side has no meaning"),
        ('"squash"', '"letterbox"', "pad is missing"),
        ('"squash"', '"squash"\npad = 9', "pad is a grey"),
        ("[0, 0, 0]", "[0, 0]", "mean must be three numbers"),
        ("[0, 0, 0]", "[0, 0, true]", "mean must be a number"),
        ("[0, 0, 0]", "[0, 0, nan]", "finite"),
        ("[1, 1, 1]", "[1, 0, 1]", "std must be above 0"),
        ("divide_by = 255", "divide_by = 0", "divide_by and std must be above 0"),
        ('"sigmoid"', '"softmax"', "index is missing"),
        ('"sigmoid"', '"relu"', "must be one of probability, sigmoid, softmax"),
        ('"high"', '"1"', "must be one of high, low"),
        ('"Mean brightness 1.0"', '"…"', "name needs letters"),
        ('"CC0"', '"CC0"\nsha256 = "12"', "64 hexadecimal digits"),
        ('"CC0"', '"CC0', "Illegal character"),
    ],
)
def test_a_card_with_a_mistake_is_refused_with_the_place(old: str, new: str, says: str) -> None:
    with pytest.raises(FileRefused, match="card_invalid") as e:
        card((old, new))
    assert says in e.value.message
    assert "docs/bring-your-own-model.md" in e.value.remedy


def test_the_card_in_the_manual_is_a_card_and_every_word_is_explained() -> None:
    manual = (ROOT / "docs" / "bring-your-own-model.md").read_text("utf-8")
    example = manual.split("```toml\n")[1].split("```")[0].replace("0f…", "0f" * 32)
    assert cards.parse(example.encode()).shorter_side == 256
    assert cards.parse(models_cli.EXAMPLE.replace("…", "0f" * 32).encode()).shorter_side == 256
    for word in (*cards.LAYOUTS, *cards.CHANNELS, *cards.RESIZES, *cards.FILTERS, *cards.OUTPUTS, *cards.ENDS, "pad"):
        assert word in manual, word


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * 70_000, b"a = " + b"[" * 5000])
def test_a_file_that_is_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(FileRefused, match="card_invalid"):
        cards.parse(data)


@pytest.mark.parametrize("text", ["../../etc", "..", ".hidden", "a/b\\c", "CON:", "a" * 300])
def test_a_name_is_safe_as_a_folder(text: str, tmp_path: Path) -> None:
    try:
        name = cards.safe_name(text)
    except ValueError:
        return
    assert (tmp_path / name).parent == tmp_path
    assert not name.startswith(".")
    assert len(name) <= 40


WHITE, GREY = np.full((40, 60, 3), 255, np.uint8), np.full((40, 60, 3), 51, np.uint8)


def raw(data: bytes, wanted: Card, rgb: np.ndarray = WHITE) -> float:
    return third_party.score(third_party.load(data, wanted), rgb)


def test_the_output_means_what_the_card_says() -> None:
    assert raw(onnx.brightness([1, 1, 1]), card()) == pytest.approx(3.0, abs=1e-5)
    assert raw(onnx.brightness([1, 1, 1]), card(('"high"', '"low"'))) == pytest.approx(-3.0, abs=1e-5)
    assert raw(onnx.brightness([1, 1, 1]), card(), GREY) == pytest.approx(0.6, abs=1e-5)
    as_p = card(('"sigmoid"', '"probability"'))
    assert raw(onnx.brightness([0.5, 0.2, 0.05]), as_p) == pytest.approx(math.log(3), abs=1e-5)
    three = onnx.brightness([0] * 9, bias=[0.0, 2.0, 1.0])
    soft = card(('"sigmoid"', '"softmax"\nindex = 1'))
    assert raw(three, soft) == pytest.approx(2 - math.log(1 + math.e), abs=1e-5)
    assert raw(onnx.brightness([1e9, 0, 0]), card()) == pytest.approx(13.8155, abs=1e-3)


def test_channels_scale_and_layout_are_as_the_card_says() -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[:, :, 0] = 255
    weigh = onnx.brightness([1, 10, 100])
    assert raw(weigh, card(), red) == pytest.approx(1.0, abs=1e-5)
    scaled = (("255", "127.5"), ("[0, 0, 0]", "[1, 1, 1]"), ("[1, 1, 1]\n\n[out", "[1, 2, 4]\n\n[out"))
    assert raw(onnx.brightness([1, 2, 4]), card(*scaled), red) == pytest.approx(1 - 1 - 1, abs=1e-5)
    nhwc = onnx.brightness([1, 10, 100], nhwc=True)
    assert raw(nhwc, card(("NCHW", "NHWC")), red) == pytest.approx(1.0, abs=1e-5)
    third_party.load(weigh, card(('"RGB"', '"BGR"')))
    assert raw(onnx.brightness([0.01, 0.1, 1]), card(('"RGB"', '"BGR"')), red) == pytest.approx(1.0, abs=1e-5)


def ramp(height: int, width: int) -> np.ndarray:
    """A picture whose red rises from left to right and whose green rises from top to bottom."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[:, :, 0] = np.linspace(0, 255, width).astype(np.uint8)
    rgb[:, :, 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return rgb


def test_each_resize_rule() -> None:
    rgb = ramp(64, 128)
    (squashed,) = third_party.views(rgb, card())
    assert squashed.shape == (32, 32, 3)
    assert squashed[0, 0, 0] < 10
    assert squashed[0, -1, 0] > 245
    (boxed,) = third_party.views(rgb, card(('"squash"', '"letterbox"\npad = 7')))
    assert (boxed[:8] == 7).all()
    assert (boxed[-8:] == 7).all()
    assert (boxed[8:24, :, 2] == 0).all()
    native = card(('"squash"', '"centre_crop"\nshorter_side = 0'))
    (centre,) = third_party.views(rgb, native)
    assert np.array_equal(centre, rgb[16:48, 48:80])
    shrunk = card(('"squash"', '"centre_crop"\nshorter_side = 32'))
    assert third_party.views(rgb, shrunk)[0][:, :, 1].min() < 10, "the whole height is seen"
    five = third_party.views(rgb, card(('"squash"', '"five_crops"\nshorter_side = 0')))
    assert len(five) == 5
    assert np.array_equal(five[1], rgb[:32, :32])
    assert np.array_equal(five[4], rgb[-32:, -32:])
    small = ramp(8, 20)
    for rule in (native, shrunk):
        assert [v.shape for v in third_party.views(small, rule)] == [(32, 32, 3)]
    with pytest.raises(FileRefused, match="picture_too_long"):
        third_party.views(ramp(1, 30_000), card(('"squash"', '"five_crops"\nshorter_side = 64')))


def test_five_crops_are_averaged() -> None:
    rule = card(('"squash"', '"five_crops"\nshorter_side = 0'))
    rgb = ramp(64, 128)
    each = [raw(onnx.brightness([1, 0, 0]), card(), view) for view in third_party.views(rgb, rule)]
    assert raw(onnx.brightness([1, 0, 0]), rule, rgb) == pytest.approx(np.mean(each), abs=1e-5)


def chain(*nodes: bytes, tensors: tuple[bytes, ...] = (), domains: tuple[str, ...] = (), out: str = "out") -> bytes:
    return onnx.model(
        list(nodes), list(tensors), [onnx.value("pixels", ["n", 3, 32, 32])], [onnx.value(out, ["a"])], domains
    )


def elsewhere() -> bytes:
    """A model one of whose tensors lies in another file."""
    place = onnx.part(13, onnx.part(1, "location"), onnx.part(2, "/etc/passwd"))
    outside = onnx.number(1, 3) + onnx.number(2, onnx.FLOAT) + onnx.part(8, "w") + place + onnx.number(14, 1)
    return chain(onnx.node("MatMul", ["pixels", "w"], ["out"]), tensors=(outside,))


def hidden_elsewhere() -> bytes:
    """The same inside a branch of an operator, which is a graph of its own."""
    outside = onnx.number(1, 1) + onnx.number(2, onnx.FLOAT) + onnx.part(8, "v") + onnx.number(14, 1)
    constant = onnx.node("Constant", [], ["out"], onnx.part(1, "value"), onnx.part(5, outside))
    branch = onnx.part(1, constant)
    return chain(onnx.node("If", ["pixels"], ["out"], onnx.part(1, "then_branch") + onnx.part(6, branch)))


SOUND = onnx.brightness([1, 1, 1])
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "external data": (elsewhere, "lie in other files"),
    "external data in a branch": (hidden_elsewhere, "lie in other files"),
    "custom operator": (
        lambda: chain(onnx.node("Evil", ["pixels"], ["out"], domain="my.ops"), domains=("my.ops",)),
        "operators that are not built in ('my.ops')",
    ),
    "truncated": (lambda: SOUND[: len(SOUND) // 2], "part of it is missing"),
    "one byte short": (lambda: SOUND[:-1], "part of it is missing"),
    "not ONNX": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "not an ONNX file"),
    "a script": (lambda: b"#!/bin/sh\necho\n", "not an ONNX"),
    "empty": (lambda: b"", "not an ONNX model, or an empty one"),
    "ORT format": (lambda: b"\x00\x00\x00\x00ORTM" + bytes(50), "ONNX Runtime's own format"),
    "a field number that readers may cut short": (
        lambda: onnx.varint((1 << 35) | (13 << 3) | 2) + b"\x00",
        "not an ONNX file",
    ),
    "too deep": (lambda: _nested(200), "nested deeper"),
    "unknown operator": (lambda: chain(onnx.node("Nonsense", ["pixels"], ["out"])), "could not load it"),
    "two inputs": (
        lambda: onnx.model(
            [onnx.node("Add", ["pixels", "more"], ["out"])],
            [],
            [onnx.value("pixels", [1, 3, 32, 32]), onnx.value("more", [1, 3, 32, 32])],
            [onnx.value("out", [1, 3, 32, 32])],
        ),
        "2 inputs",
    ),
    "giant output": (
        lambda: chain(onnx.node("Expand", ["pixels", "s"], ["out"]), tensors=(onnx.wholes("s", [64, 3, 32, 32]),)),
        "at most 1000 numbers",
    ),
    "NaN": (lambda: onnx.brightness([float("nan"), 0, 0]), "not a number"),
    "infinity": (lambda: onnx.brightness([float("inf"), 0, 0]), "not a number"),
}


def _nested(levels: int) -> bytes:
    graph = onnx.part(1, onnx.node("Identity", ["pixels"], ["out"]))
    for _ in range(levels):
        graph = onnx.part(1, onnx.node("If", ["pixels"], ["out"], onnx.part(6, graph)))
    return onnx.number(1, 8) + onnx.part(7, graph)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(name: str) -> None:
    make, says = HOSTILE[name]
    with pytest.raises(FileRefused) as e:
        third_party.check(make(), card())
    assert e.value.code == "model_not_usable"
    assert says in e.value.message


def test_a_sound_file_passes_the_same_check() -> None:
    third_party.inspect(SOUND)
    assert third_party.check(SOUND, card())["raw"] == pytest.approx(3 * 128 / 255, abs=1e-4)


def test_operators_that_the_file_itself_defines_are_allowed() -> None:
    function = onnx.part(25, onnx.part(1, "Own"), onnx.part(10, "my.ops"))
    third_party.inspect(chain(onnx.node("Own", ["pixels"], ["out"], domain="my.ops")) + function)
    with pytest.raises(FileRefused, match="not built in"):
        third_party.inspect(chain(onnx.node("Own", ["pixels"], ["out"], domain="my.other")) + function)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ((("width = 32", "width = 64"),), "but the model takes any x 3 x 32 x 32"),
        ((("NCHW", "NHWC"),), "but the model takes"),
        ((('"sigmoid"', '"sigmoid"\nname = "logits"'),), "no output “logits”; it has out"),
        ((('"sigmoid"', '"sigmoid"\nindex = 1'),), "gives 1 numbers"),
        ((('"sigmoid"', '"softmax"\nindex = 0'),), "at least two numbers"),
        ((('"sigmoid"', '"probability"'),), "output is a probability, but it is 1.51"),
    ],
)
def test_a_card_that_does_not_fit_its_model_is_refused(changes: tuple[tuple[str, str], ...], says: str) -> None:
    with pytest.raises(FileRefused, match="card_invalid") as e:
        third_party.check(SOUND, card(*changes))
    assert says in e.value.message


def test_an_altered_or_missing_file_is_not_loaded(tmp_path: Path) -> None:
    path, wanted = tmp_path / "model.onnx", card()
    path.write_bytes(SOUND)
    with pytest.raises(FileUnreadable, match="model_altered"):
        third_party.ask(str(path), "0" * 64, wanted, WHITE)
    with pytest.raises(FileUnreadable, match="model_missing"):
        third_party.ask(str(tmp_path / "none.onnx"), "1" * 64, wanted, WHITE)
