"""Hash lists: read from the formats that others use, with every entry checked; written as CSV or plain lines.

There is no published standard. Read are: one hash a line, with `pdq`, `md5` or `sha256` before it or not; what Meta's
hasher prints (`hash,filename`); CSV with a header, ours (`COLUMNS`) or ThreatExchange's test lists' (`FilePath,Hash`);
JSON as the StopNCII API answers (`hashRecords`); and lines of `counterproof.scan/1`. A PDQ is sensitive: the picture
can be partly guessed from it.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from detectors import __version__
from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.report import is_pdq

COLUMNS = ("sha256", "pdq", "pdq_quality", "md5", "media_type", "width", "height", "created_utc", "tool")
MAX_LINE = 64 * 1024  # characters; a line of scan/1 with many regions is longer, so JSON lines may have more
MAX_JSON_LINE = 8 * 1024 * 1024
MAX_JSON = 256 * 1024 * 1024  # bytes of a JSON document, which cannot be read piece by piece
MAX_ENTRIES = 20_000_000
KEPT_REJECTS = 1000
_MAX_TEXT = 500
_SIZES = {32: "md5", 64: ""}
_HEX = re.compile(r"[0-9a-fA-F]+")
_KINDS = {"pdq": "pdq", "imagepdq": "pdq", "md5": "md5", "videomd5": "md5", "sha256": "sha256"}
_LENGTH = {"pdq": 64, "md5": 32, "sha256": 64}
_GONE = frozenset({"withdrawn", "deleted"})
# What the columns of others' lists are called.
_OTHER_NAMES = {"hash": "pdq", "pdqhash": "pdq", "filepath": "label", "filename": "label", "path": "label"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `pdq` is 64 lower-case hex or "", `sha256` 64 hex or "", `md5` 32 hex or ""; at least one is there.

    `label` is what the list calls it (untrusted text), `line` its line number, from 1, or its place in a JSON list.
    """

    pdq: str = ""
    sha256: str = ""
    md5: str = ""
    label: str = ""
    pdq_quality: int | None = None
    media_type: str = ""
    width: int | None = None
    height: int | None = None
    created_utc: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no entry, and why, in one plain sentence."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class HashList:
    """What a list held. `n_rejected` counts all rejects, of which `rejected` keeps the first thousand.

    `n_withdrawn` counts entries that the list itself calls withdrawn or deleted.
    """

    entries: tuple[Entry, ...]
    rejected: tuple[Rejected, ...] = ()
    n_rejected: int = 0
    n_withdrawn: int = 0


class _Bad(ValueError):
    """Why something is no entry, in one plain sentence."""


@dataclass
class _Reading:
    """A list as far as it has been read."""

    entries: list[Entry] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    n_rejected: int = 0
    n_withdrawn: int = 0

    def add(self, line: int, fields: Mapping[str, Any]) -> None:
        """One entry, or the reason why it is none."""
        try:
            self.entries.append(_entry(line, fields))
        except _Bad as e:
            self.reject(line, str(e))
        if len(self.entries) > MAX_ENTRIES:
            raise FileRefused(
                "list_too_long",
                f"This list has more than {MAX_ENTRIES:,} entries.",
                "Split it, and compare with one part after the other.",
            )

    def reject(self, line: int, reason: str) -> None:
        """One line that is no entry."""
        self.n_rejected += 1
        if len(self.rejected) < KEPT_REJECTS:
            self.rejected.append(Rejected(line, reason))


def read(path: str) -> HashList:
    """The entries of a list. Raises CounterproofError when the file cannot be read or holds no entry at all."""
    found = _Reading()
    try:
        with open(path, "rb") as raw:
            if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
                raise _not_a_list()
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="\n")
            _read(text, os.fstat(raw.fileno()).st_size, found)
    except OSError as e:
        raise FileUnreadable(
            "list_unreadable",
            f"The hash list {path} cannot be read ({e.strerror}).",
            "Check its name, and that you may open it.",
        ) from e
    if not found.entries and not found.n_withdrawn:
        raise _not_a_list(found.rejected[0].reason if found.rejected else "It is empty.")
    return HashList(tuple(found.entries), tuple(found.rejected), found.n_rejected, found.n_withdrawn)


def write_csv(entries: Iterable[Entry], out: IO[str]) -> None:
    """The columns sha256, pdq, pdq_quality, md5, media_type, width, height, created_utc, tool, with a header.

    What the list calls an entry (file names) is left out.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for e in entries:
        values = (e.sha256, e.pdq, e.pdq_quality, e.md5, e.media_type, e.width, e.height, e.created_utc)
        writer.writerow([*("" if v is None else v for v in values), f"counterproof {__version__}"])


def write_plain(entries: Iterable[Entry], out: IO[str]) -> int:
    """One PDQ a line; returns how many entries had none and were left out."""
    left_out = 0
    for entry in entries:
        if entry.pdq:
            out.write(entry.pdq + "\n")
        else:
            left_out += 1
    return left_out


def _read(text: IO[str], size: int, found: _Reading) -> None:
    """Tell the format from the first line that says something, and read it."""
    lines = _lines(text)
    first = next(((n, line) for n, line in lines if line is None or _says_something(line)), None)
    if first is None:
        return
    number, line = first
    if line is not None and line.lstrip().startswith("{"):
        if _json_object(line) is None:
            _read_document(text, size, found)
        else:
            _read_json_lines(itertools.chain([first], lines), found)
    elif line is not None and line.lstrip().startswith("["):
        _read_document(text, size, found)
    elif line is not None and (columns := _header(line)):
        _read_table(columns, lines, found)
    else:
        _read_plain(itertools.chain([(number, line)], lines), found)


def _lines(text: IO[str]) -> Iterator[tuple[int, str | None]]:
    """Number, from 1, and text of each line without its end; None for one that is too long."""
    for number in itertools.count(1):
        line = text.readline(MAX_LINE + 1)
        if line.startswith("{") and len(line) > MAX_LINE:
            line += text.readline(MAX_JSON_LINE)
        if not line:
            return
        if len(line) <= MAX_LINE or (line.startswith("{") and line.endswith("\n")):
            yield number, line.rstrip("\r\n")
            continue
        while line and not line.endswith("\n"):
            line = text.readline(MAX_LINE)
        yield number, None


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _header(line: str) -> list[str] | None:
    """Our names of the columns that a header names, "" for those not used; None when the line is no header."""
    names = [name.strip().strip('"').lower().replace(" ", "_") for name in line.split(",")]
    columns = [_OTHER_NAMES.get(name, name) for name in names]
    if len(columns) < 2 or not {"pdq", "sha256", "md5"} & set(columns):
        return None
    return [c if c in (*COLUMNS, "label") and c != "tool" else "" for c in columns]


def _read_table(columns: list[str], lines: Iterator[tuple[int, str | None]], found: _Reading) -> None:
    for number, line in lines:
        if line is None:
            found.reject(number, _TOO_LONG)
        elif _says_something(line):
            try:
                cells = next(csv.reader([line]))
            except (csv.Error, StopIteration):
                found.reject(number, "This line is not well-formed CSV.")
                continue
            if len(cells) != len(columns):
                reason = f"This line has {len(cells)} columns where the header has {len(columns)}."
                found.reject(number, reason)
            else:
                found.add(number, {c: v.strip() for c, v in zip(columns, cells, strict=True) if c})


def _read_plain(lines: Iterator[tuple[int, str | None]], found: _Reading) -> None:
    for number, line in lines:
        if line is None:
            found.reject(number, _TOO_LONG)
        elif _says_something(line):
            head, _, label = line.strip().partition(",")
            words = head.split()
            kind = _KINDS.get(words[0].lower(), "") if len(words) == 2 else ""
            if len(words) > 2 or (len(words) == 2 and not kind) or not words:
                found.reject(number, "This line is not a hash.")
            else:
                value = words[-1]
                found.add(number, {kind or _SIZES.get(len(value)) or "pdq": value, "label": label.strip()})


def _read_json_lines(lines: Iterator[tuple[int, str | None]], found: _Reading) -> None:
    for number, line in lines:
        if line is None:
            found.reject(number, _TOO_LONG)
        elif line.strip():
            record = _json_object(line)
            if record is None:
                found.reject(number, "This line is not a JSON object.")
            elif isinstance(record.get("hashRecords"), list):
                _read_records(record["hashRecords"], found)
            elif "signalType" in record:
                _read_record(number, record, found)
            else:
                _read_report(number, record, found)


def _read_report(number: int, record: Mapping[str, Any], found: _Reading) -> None:
    """One line of `counterproof.scan/1` or `counterproof.match/1`."""
    hashes, media = record.get("hashes"), record.get("media")
    if not isinstance(hashes, dict):
        found.reject(number, "This line holds no fingerprints: the file was not checked.")
        return
    media = media if isinstance(media, dict) else {}
    fields = {k: hashes.get(k) for k in ("sha256", "md5", "pdq", "pdq_quality")}
    found.add(
        number,
        {
            **fields,
            "label": record.get("path"),
            "media_type": media.get("format"),
            "width": media.get("width"),
            "height": media.get("height"),
        },
    )


def _read_document(text: IO[str], size: int, found: _Reading) -> None:
    """A whole JSON document."""
    if size > MAX_JSON:
        raise FileRefused(
            "list_too_large",
            f"This JSON list is larger than {MAX_JSON >> 20} MB.",
            "Ask for it as one hash a line, which can be of any length.",
        )
    text.seek(0)
    try:
        document = json.load(text)
    except (ValueError, RecursionError) as e:
        raise _not_a_list("It looks like JSON and is not well-formed.") from e
    records = document.get("hashRecords") if isinstance(document, dict) else document
    if not isinstance(records, list):
        raise _not_a_list("It is JSON without a list of records (hashRecords).")
    _read_records(records, found)


def _read_records(records: list[Any], found: _Reading) -> None:
    for number, record in enumerate(records, 1):
        if isinstance(record, str):
            found.add(number, {_SIZES.get(len(record)) or "pdq": record})
        elif isinstance(record, dict) and "signalType" in record:
            _read_record(number, record, found)
        elif isinstance(record, dict):
            _read_report(number, record, found)
        else:
            found.reject(number, "This record is not a JSON object.")


def _read_record(number: int, record: Mapping[str, Any], found: _Reading) -> None:
    """One record as the StopNCII API gives it."""
    if str(record.get("hashStatus", "")).lower() in _GONE:
        found.n_withdrawn += 1
        return
    kind = _KINDS.get(str(record.get("signalType", "")).lower())
    if kind is None:
        found.reject(number, "This record is neither of an image nor of a file’s MD5.")
    else:
        found.add(number, {kind: record.get("hashValue")})


def _entry(line: int, fields: Mapping[str, Any]) -> Entry:
    """The checked entry. Raises _Bad."""
    values = {kind: _hash(kind, fields.get(kind)) for kind in _LENGTH}
    if not any(values.values()):
        raise _Bad("This line holds no hash.")
    return Entry(
        **values,
        label=_text(fields.get("label")),
        pdq_quality=_number(fields.get("pdq_quality"), 100),
        media_type=_text(fields.get("media_type")),
        width=_number(fields.get("width"), 1 << 31),
        height=_number(fields.get("height"), 1 << 31),
        created_utc=_text(fields.get("created_utc")),
        line=line,
    )


def _hash(kind: str, value: Any) -> str:
    """The hash in lower case, or "" where there is none. Raises _Bad."""
    if value is None or value == "":
        return ""
    name = {"pdq": "PDQ", "md5": "MD5", "sha256": "SHA-256"}[kind]
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _Bad(f"The {name} is not written in hex digits (0-9, a-f).")
    if len(value) != _LENGTH[kind]:
        raise _Bad(f"The {name} has {len(value)} digits instead of {_LENGTH[kind]}.")
    lower: str = value.lower()
    if kind == "pdq" and (not is_pdq(lower) or lower in _BLANK):
        raise _Bad("This PDQ is that of a blank picture, and would match nothing in particular.")
    return lower


_BLANK = ("0" * 64, "f" * 64)
_TOO_LONG = "This line is far too long for a hash."


def _text(value: Any) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _number(value: Any, most: int) -> int | None:
    """A whole number from 0 to `most`, else None: these only describe."""
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most else None


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _not_a_list(why: str = "") -> CounterproofError:
    return FileRefused(
        "not_a_hash_list",
        f"No entry could be read from the hash list. {why}".strip(),
        "Give a file with one PDQ of 64 hex digits a line, a CSV, or JSON as docs/matching.md describes.",
    )
