"""From what was typed to inputs: with a list on standard input, and without what the scan itself writes."""

from __future__ import annotations

import itertools
import os
import select
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence

from detectors.finding import Profile
from detectors.inputs import Input, find_inputs

# A person who names up to this many files waits for an answer about each.
_FEW = 4
# Up to this many, what the quick check cannot settle is checked thoroughly in minutes; beyond, it would take hours.
MANY = 2000
_WAIT_SECONDS = 0.2


def auto_profile(paths: Sequence[str], inputs: Iterable[object]) -> Profile:
    """The profile that `auto` means: thorough for a few files, each named itself; cascade; fast for over MANY inputs.

    Draws from `inputs` only as far as is needed to know. A list on standard input could only be counted by waiting for
    its end, so it counts as not many, and nothing is drawn.
    """
    if "-" in paths:
        return Profile.CASCADE
    if len(paths) <= _FEW and all(os.path.isfile(path) for path in paths):
        return Profile.THOROUGH
    more = next(itertools.islice(inputs, MANY, None), None) is not None
    return Profile.FAST if more else Profile.CASCADE


def listed(paths: list[str], cancel: threading.Event, skip: set[str]) -> Iterator[Input]:
    """The inputs for the arguments, lazily and in their order; without the files in `skip`, given by their real path.

    `skip` is looked at as the inputs are drawn, so it may grow until then.
    """
    for found in find_inputs(_arguments(paths, cancel)):
        name = os.path.basename(found.path)
        if any(p.endswith(name) for p in skip) and os.path.realpath(found.path) in skip:
            continue
        yield found


def _arguments(paths: list[str], cancel: threading.Event) -> Iterator[str]:
    for path in paths:
        if path == "-":
            yield from _from_stdin(cancel)
        else:
            yield path


def _from_stdin(cancel: threading.Event) -> Iterator[str]:
    """File names from standard input, as bytes of the file system; NUL-separated if the first read holds a NUL."""
    rest, separator = b"", b""
    while chunk := _read(cancel):
        separator = separator or (b"\0" if b"\0" in chunk else b"\n")
        *names, rest = (rest + chunk).split(separator)
        yield from (os.fsdecode(n) for n in map(_trimmed, names) if n)
    if _trimmed(rest) and not cancel.is_set():
        yield os.fsdecode(_trimmed(rest))


def _trimmed(name: bytes) -> bytes:
    """Without the carriage return that ends a line on Windows; elsewhere it may be part of a name."""
    return name.removesuffix(b"\r") if os.name == "nt" else name


def _read(cancel: threading.Event) -> bytes:
    """The next bytes of standard input; empty at its end, or when the run was stopped while waiting for more."""
    source = sys.stdin.buffer
    if os.name != "nt":  # Windows can wait for sockets only
        while not select.select([source], [], [], _WAIT_SECONDS)[0]:
            if cancel.is_set():
                return b""
    return source.read1(1 << 16) if hasattr(source, "read1") else source.read(1 << 16)
