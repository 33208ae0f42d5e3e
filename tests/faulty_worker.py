"""The real worker with planted faults: a file whose bytes begin with `FAULT:name` makes it fail in that way."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from detectors.intake import decode, worker
from detectors.intake.limits import Limits
from detectors.intake.protocol import pack
from detectors.signals import detectors

_real_decode, _real_answer = decode.decode, worker.answer


def _memory() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(64 << 20))


def _fork_no_more() -> None:
    os.open("/tmp/written-by-a-worker", os.O_WRONLY | os.O_CREAT)  # may open, may not write
    with open("/tmp/written-by-a-worker", "wb") as f:
        f.write(b"x")


DECODE: Mapping[str, Callable[[], object]] = {
    "exit": lambda: os._exit(3),
    "segv": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "hang": lambda: time.sleep(600),
    "memory": _memory,
    "reclaimed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "raise": lambda: 1 / 0,
    "recurse": lambda: DECODE["recurse"](),
    "write": _fork_no_more,
}
ANSWER: Mapping[str, Callable[[], bytes]] = {
    "garbage": lambda: b"this is no frame at all, and it is long enough to be read as one",
    "huge": lambda: struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
    "not_json": lambda: struct.pack(">II", 4, 0) + b"{{{{",
    "deep": lambda: struct.pack(">II", 200_000, 0) + b"[" * 200_000,
    "nan": lambda: struct.pack(">II", 16, 0) + b'{"analysis":NaN}',
    "list": lambda: struct.pack(">II", 2, 0) + b"[]",
    "empty": lambda: pack({}),
    "bad_status": lambda: pack({"error": {"status": "scanned", "code": "x", "message": "x", "remedy": "x"}}),
    "cut": lambda: struct.pack(">II", 1000, 0) + b"{",
}


def faulty_decode(data: bytes, sha256: str, limits: Limits) -> Any:
    name = _fault(data)
    if name in DECODE:
        DECODE[name]()
    if name == "noise":
        print("noise on stdout " * 1000, flush=True)
        os.write(1, b"more noise " * 1000)
        os.write(2, b"noise on stderr " * 100_000)
        data = data.split(b"\n", 1)[1]
    return _real_decode(data, sha256, limits)


def faulty_answer(header: Mapping[str, Any], data: bytes, limits: Limits) -> bytes:
    name = _fault(data)
    if name == "cut":
        os.write(_answers(), ANSWER[name]())
        os._exit(0)
    if name == "other_file":
        return _real_answer({**header, "sha256": "0" * 64}, data.split(b"\n", 1)[1], limits)
    return ANSWER[name]() if name in ANSWER else _real_answer(header, data, limits)


def _answers() -> int:
    """The descriptor of the pipe for answers: the second copy that the worker made."""
    return max(int(n) for n in os.listdir("/proc/self/fd") if os.readlink(f"/proc/self/fd/{n}").startswith("pipe:"))


def _fault(data: bytes) -> str:
    return data.split(b"\n", 1)[0][6:].decode() if data.startswith(b"FAULT:") else ""


if __name__ == "__main__":
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "dies_at_start":
        sys.exit("the reason for it")
    if mode == "hangs_at_start":
        time.sleep(600)
    if mode == "detector_raises":
        broken = next(iter(detectors().values()))
        type(broken).find = lambda self, picture, profile: 1 / 0  # type: ignore[method-assign]
    decode.decode, worker.answer = faulty_decode, faulty_answer
    sys.exit(worker.main())
