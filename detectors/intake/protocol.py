"""Frames between the parent and its workers: a length-prefixed JSON header and raw bytes. No pickle.

What arrives from a worker is as untrusted as the file that it read: lengths are capped, the header must be plain
JSON, and `outcome_of` checks every value before the parent uses it.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.finding import State
from detectors.intake.media import Media
from detectors.report import Analysis, Fingerprinted, Hashes, View

# A header holds findings, metadata and a few hundred regions: tens of KB. The cap only stops a runaway.
MAX_HEADER = 8 * 1024 * 1024
# The largest answer is a preview, in RGB. Few screens are larger than this.
MAX_PREVIEW_SIDE = 4096
MAX_ANSWER_PAYLOAD = MAX_PREVIEW_SIDE * MAX_PREVIEW_SIDE * 3
_LENGTHS = struct.Struct(">II")
_MAX_TEXT = 2000
_MAX_VIEWS = 1000
_LEVELS = ("explicit", "suggestive", "none_found")
_KINDS: Mapping[str, type[CounterproofError]] = {"refused": FileRefused, "unreadable": FileUnreadable}


class ProtocolError(ValueError):
    """The other side sent something that is not a well-formed answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker made of one file: `analysis`, with a thumbnail (JPEG bytes) if asked for, or `error`."""

    analysis: Analysis | None
    error: CounterproofError | None
    thumbnail: bytes | None = None


def pack(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """One frame as bytes: two big-endian 32-bit lengths, the JSON header, the payload. Raises ValueError for NaN."""
    head = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("ascii")
    return _LENGTHS.pack(len(head), len(payload)) + head + payload


def write_frame(stream: IO[bytes], header: Mapping[str, Any], payload: bytes = b"") -> None:
    """Send one frame. The payload is written apart, so that a large file is not copied once more."""
    head = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("ascii")
    stream.write(_LENGTHS.pack(len(head), len(payload)) + head)
    stream.write(payload)
    stream.flush()


def read_frame(stream: IO[bytes], max_payload: int) -> tuple[dict[str, Any], bytes]:
    """Receive one frame. Raises EOFError when the stream has ended, ProtocolError when the frame is malformed."""
    head_length, payload_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if head_length > MAX_HEADER or payload_length > max_payload:
        raise ProtocolError("a frame is longer than allowed")
    return _header(_exactly(stream, head_length)), _exactly(stream, payload_length)


def unpack(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """The inverse of `pack`. Raises ProtocolError when the bytes are not exactly one frame."""
    if len(frame) < _LENGTHS.size:
        raise ProtocolError("a frame is cut short")
    head_length, payload_length = _LENGTHS.unpack_from(frame)
    split = _LENGTHS.size + head_length
    if len(frame) != split + payload_length:
        raise ProtocolError("a frame has the wrong length")
    return _header(frame[_LENGTHS.size : split]), frame[split:]


def error_header(error: CounterproofError) -> dict[str, Any]:
    """The header that carries `error` to the parent."""
    return {"error": {"status": error.status, **error.to_json()}}


def outcome_of(header: Mapping[str, Any], payload: bytes, sha256: str) -> Outcome:
    """The checked outcome for the file with this SHA-256 (hex). Raises ProtocolError when anything is amiss."""
    if "error" in header:
        return Outcome(None, error_of(header))
    try:
        analysis = Analysis.from_record(header["analysis"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise ProtocolError(f"malformed analysis: {type(e).__name__}") from e
    if analysis.hashes.sha256 != sha256:
        raise ProtocolError("the analysis is of another file")
    for finding in analysis.findings:
        scores = [finding.score, *(r.score for r in finding.regions)]
        if any(s is not None and not 0.0 <= s <= 1.0 for s in scores):
            raise ProtocolError("a score lies outside 0..1")
        try:
            _ = finding.overlay
        except ValueError as e:
            raise ProtocolError(str(e)) from e
        if finding.detector == "intimacy" and finding.state is State.OK and finding.details.get("level") not in _LEVELS:
            raise ProtocolError("an intimacy level that does not exist")
    if not all(math.isfinite(ms) for ms in (analysis.ms, analysis.model_ms, *(f.ms for f in analysis.findings))):
        raise ProtocolError("a duration is not a number")
    return Outcome(analysis, None, payload or None)


def fingerprinted_of(header: Mapping[str, Any], path: str, sha256: str) -> Fingerprinted:
    """The checked fingerprints of the file with this SHA-256 (hex), named `path`. Raises ProtocolError."""
    if "error" in header:
        return Fingerprinted(path, error=error_of(header), sha256=sha256)
    try:
        found = header["fingerprint"]
        media, hashes = Media.from_json(found["media"]), Hashes.from_record(found["hashes"])
        views = tuple(View.from_json(v) for v in found["views"][:_MAX_VIEWS])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise ProtocolError(f"malformed fingerprints: {type(e).__name__}") from e
    if hashes.sha256 != sha256:
        raise ProtocolError("the fingerprints are of another file")
    return Fingerprinted(path, media, hashes, views, sha256=sha256)


def error_of(header: Mapping[str, Any]) -> CounterproofError:
    """The error that a worker reported. Raises ProtocolError when it is malformed."""
    try:
        fields = header["error"]
        kind = _KINDS[fields["status"]]
        code, message, remedy = (str(fields[k])[:_MAX_TEXT] for k in ("code", "message", "remedy"))
    except (KeyError, TypeError) as e:
        raise ProtocolError("malformed error") from e
    return kind(code, message, remedy)


def malformed_answer() -> FileUnreadable:
    """The error for a file on which a worker answered something that cannot be trusted."""
    return FileUnreadable(
        "worker_answer_malformed",
        "The program that opens files gave an answer for this one that cannot be trusted.",
        "The file may be made to do harm. If you know where it is from, save it again as PNG and check that.",
    )


def _exactly(stream: IO[bytes], length: int) -> bytes:
    """`length` bytes. Raises EOFError when there are fewer."""
    data = stream.read(length)
    if len(data) != length:
        raise EOFError
    return data


def _header(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises ProtocolError for anything else, NaN and infinities included."""
    try:
        header = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise ProtocolError("a frame's header is not JSON") from e
    if not isinstance(header, dict):
        raise ProtocolError("a frame's header is not an object")
    return header


def _no_constant(name: str) -> NoReturn:
    raise ProtocolError(f"{name} is not a number that may be sent")
