"""Hash lists: read from the formats that others use, with every entry checked; written as CSV or plain lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `pdq` is 64 lower-case hex or "", `sha256` 64 hex or "", `md5` 32 hex or ""; at least one is there.

    `label` is what the list calls it (untrusted text), `line` its line number, from 1.
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
    rejected: tuple[Rejected, ...]
    n_rejected: int
    n_withdrawn: int


def read(path: str) -> HashList:
    """The entries of a list. Raises CounterproofError when the file cannot be read or holds no entry at all."""
    raise NotImplementedError


def write_csv(entries: Iterable[Entry], out: IO[str]) -> None:
    """The columns sha256, pdq, pdq_quality, md5, media_type, width, height, created_utc, tool, with a header."""
    raise NotImplementedError


def write_plain(entries: Iterable[Entry], out: IO[str]) -> int:
    """One PDQ a line; returns how many entries had none and were left out."""
    raise NotImplementedError
