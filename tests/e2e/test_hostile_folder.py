"""A folder of every kind of bad file among good ones ends with one line for each, and no crash."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from detectors.inputs import find_inputs
from detectors.scan import Scanner, ScanOptions
from detectors.verdict import Bands
from tests.hostile import gif_of, png_header_only

BANDS = Bands(likely=0.9, clear=0.1, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=100, n_synthetic=100)
POINTS = {"generated": BANDS}
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX file kinds")


def encoded(kind: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((120, 90)).convert(mode).save(out, kind)
    return out.getvalue()


Maker = Callable[[str], object]


def write(data: bytes) -> Maker:
    def make(path: str) -> None:
        with open(path, "wb") as f:
            f.write(data)

    return make


def unreadable(path: str) -> None:
    write(encoded("JPEG"))(path)
    os.chmod(path, 0)


def folder(path: str) -> None:
    os.mkdir(path)
    write(encoded("PNG"))(os.path.join(path, "inside.png"))


# name in the folder -> how to make it, what must come of it: (status, code). Names are bytes: some are not UTF-8.
SCANNED = ("scanned", None)
HOSTILE: dict[bytes, tuple[Maker, tuple[str, str | None]]] = {
    b"a-good.jpg": (write(encoded("JPEG")), SCANNED),
    b"b-empty.jpg": (write(b""), ("unreadable", "empty")),
    b"c-truncated.jpg": (write(encoded("JPEG")[:700]), ("unreadable", "truncated")),
    b"c-truncated.png": (write(encoded("PNG")[:-200]), ("unreadable", "truncated")),
    b"d-really-png.jpg": (write(encoded("PNG")), SCANNED),
    b"d-text.jpg": (write(b"Dear reader,\n" * 50), ("refused", "not_a_picture")),
    b"d-html.png": (write(b"<!doctype html><img src=x onerror=alert(1)>"), ("refused", "not_a_picture")),
    b"e-vast.png": (write(png_header_only(60_000, 60_000)), ("refused", None)),
    b"f-long.gif": (write(gif_of(10_000)), ("refused", "too_many_frames")),
    b"g-pipe.jpg": (os.mkfifo, ("refused", "not_a_regular_file")),
    b"h-loop.jpg": (lambda p: os.symlink(p, p), ("unreadable", "broken_link")),
    b"i-up": (lambda p: os.symlink("..", p), ("refused", "linked_folder")),
    b"j-broken-link.jpg": (lambda p: os.symlink("nowhere", p), ("unreadable", "broken_link")),
    b"k-link.jpg": (lambda p: os.symlink("a-good.jpg", p), SCANNED),
    b"l-not-utf8-\xff\xfe\x80.jpg": (write(encoded("JPEG")), SCANNED),
    b"m-" + b"n" * 244 + b".jpg": (write(encoded("WEBP")), SCANNED),
    b"o-new\nline\x1b[31m.jpg": (write(encoded("JPEG")), SCANNED),
    b"p-noise.jpg": (write(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40), ("unreadable", None)),
    b"q-good.gif": (write(encoded("GIF")), SCANNED),
    b"r-good.tif": (write(encoded("TIFF")), SCANNED),
    b"s-good.bmp": (write(encoded("BMP")), SCANNED),
    b"t-cmyk.jpg": (write(encoded("JPEG", "CMYK")), SCANNED),
    b"w-no-permission.jpg": (
        unreadable,
        ("unreadable", "no_permission") if os.name != "nt" and os.geteuid() else SCANNED,  # root may read everything
    ),
    b"x.jpg": (folder, ("refused", "is_a_folder")),
    b"z-last.png": (write(encoded("PNG")), SCANNED),
}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    for name, (make, _) in HOSTILE.items():
        make(os.path.join(os.fsencode(tmp_path), name).decode("utf-8", "surrogateescape"))
    return tmp_path


def test_a_line_for_each_and_no_crash(hostile: Path) -> None:
    with Scanner(ScanOptions(jobs=2, points=POINTS)) as scanner:
        lines = [r.to_line() for r in scanner.scan(find_inputs([str(hostile), str(hostile / "gone.jpg")]))]
    objects = [json.loads(line) for line in lines]
    wanted = [
        (os.fsencode(hostile) + b"/" + name, status, code) for name, (_, (status, code)) in sorted(HOSTILE.items())
    ]
    at = next(i for i, w in enumerate(wanted) if w[0].endswith(b"/x.jpg"))
    wanted.insert(at + 1, (os.fsencode(hostile) + b"/x.jpg/inside.png", "scanned", None))
    wanted.append((os.fsencode(hostile) + b"/gone.jpg", "unreadable", "no_such_file"))
    assert [os.fsencode(o["path"]) for o in objects] == [path for path, _, _ in wanted]
    for got, (path, status, code) in zip(objects, wanted, strict=True):
        assert got["status"] == status, (path, got["error"])
        if status == "scanned":
            assert got["error"] is None
            assert got["verdict"] is not None
            assert got["hashes"]["sha256"] == got["sha256"]
        else:
            assert got["error"]["message"]
            assert got["error"]["remedy"]
            assert got["verdict"] is None
            assert got["p_synthetic"] is None
            assert code in (None, got["error"]["code"]), path
    assert all(line.isascii() and "\n" not in line for line in lines)


def test_the_command_says_the_same_and_exits_with_1(hostile: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "desktop", "scan", str(hostile), "--jsonl", "-", "--jobs", "2", "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, timeout=120)
    assert done.returncode == 1, done.stderr.decode()
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(objects) == len(HOSTILE) + 1
    assert {o["schema"] for o in objects} == {"counterproof.scan/1"}
