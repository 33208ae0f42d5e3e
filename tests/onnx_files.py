"""Small ONNX files for the tests, written by hand as protobuf, so that the tests need no library that makes models.

Field numbers are those of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLOAT, FLOAT16, INT64 = 1, 10, 7


def varint(value: int) -> bytes:
    """A whole number of at least 0."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A field that holds a whole number."""
    return varint(field << 3) + varint(value & 0xFFFFFFFFFFFFFFFF)


def part(field: int, *content: bytes | str) -> bytes:
    """A field that holds text or a message."""
    data = b"".join(c.encode() if isinstance(c, str) else c for c in content)
    return varint(field << 3 | 2) + varint(len(data)) + data


def floats(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    """A float tensor of the graph."""
    dims = b"".join(number(1, d) for d in shape)
    return dims + number(2, FLOAT) + part(8, name) + part(9, struct.pack(f"<{len(values)}f", *values))


def wholes(name: str, values: Sequence[int]) -> bytes:
    """A list of int64 of the graph."""
    return number(1, len(values)) + number(2, INT64) + part(8, name) + part(9, struct.pack(f"<{len(values)}q", *values))


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: bytes, domain: str = "") -> bytes:
    """One operator."""
    names = b"".join(part(1, i) for i in inputs) + b"".join(part(2, o) for o in outputs)
    return names + part(4, kind) + b"".join(part(5, a) for a in attributes) + (part(7, domain) if domain else b"")


def value(name: str, shape: Sequence[int | str], kind: int = FLOAT) -> bytes:
    """The name, kind and shape of an input or output; a word is a free dimension."""
    dims = b"".join(part(1, number(1, d) if isinstance(d, int) else part(2, d)) for d in shape)
    return part(1, name) + part(2, part(1, number(1, kind), part(2, dims)))


def model(
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    domains: Sequence[str] = (),
) -> bytes:
    """A whole file, operator set 17."""
    graph = b"".join(
        part(field, one)
        for field, several in ((1, nodes), (5, tensors), (11, inputs), (12, outputs))
        for one in several
    )
    sets = part(8, number(2, 17)) + b"".join(part(8, part(1, d), number(2, 1)) for d in domains)
    return number(1, 8) + part(7, part(2, "g"), graph) + sets


def brightness(weights: Sequence[float], side: int = 32, bias: Sequence[float] = (0.0,), nhwc: bool = False) -> bytes:
    """A sound model: `len(bias)` numbers, each a weighted sum of the means of the three channels, plus its bias."""
    axes = [1, 2] if nhwc else [2, 3]
    shape = ["n", side, side, 3] if nhwc else ["n", 3, side, side]
    keep = part(1, "keepdims") + number(3, 0) + number(20, 2)
    axis = part(1, "axes") + b"".join(number(8, a) for a in axes) + number(20, 7)
    return model(
        [
            node("ReduceMean", ["pixels"], ["means"], axis, keep),
            node("MatMul", ["means", "w"], ["sums"]),
            node("Add", ["sums", "b"], ["out"]),
        ],
        [floats("w", [3, len(bias)], weights), floats("b", [len(bias)], bias)],
        [value("pixels", shape)],
        [value("out", ["n", len(bias)])],
    )
