"""From the paths that a person gives to the files to check, one by one, each listed whatever it turns out to be."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from detectors.errors import CounterproofError, FileRefused, FileUnreadable
from detectors.intake import problems
from detectors.intake.limits import Limits

# What systems leave in folders on their own. Everything else is listed.
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_PICTURE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"),
)
_GONE = "It may have been moved or renamed. Choose it again."
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to report on: `path` as the person would name it, and the reason if it cannot be opened."""

    path: str
    error: CounterproofError | None = None


def find_inputs(paths: Iterable[str]) -> Iterator[Input]:
    """The files behind `paths`, lazily: folders recursively, sorted by name within each folder, patterns expanded.

    A folder that the person names is entered even when it is a link; links to folders inside it are listed and not
    followed, so there are no loops. Names that are not UTF-8 keep their bytes (surrogateescape).
    """
    for path in paths:
        if not _exists(path) and (matches := _matches(path)):
            for match in matches:
                yield from _given(match)
        else:
            yield from _given(path)


def read_file(path: str, limits: Limits) -> bytes:
    """All bytes of a regular file of at most `limits.max_bytes`. Raises FileRefused or FileUnreadable."""
    try:
        # Non-blocking, so that a pipe put in a file's place after it was listed cannot hold us up.
        fd = os.open(path, _OPEN)
    except (OSError, ValueError) as e:
        raise _unopened(e) from e
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _not_regular()
        if status.st_size > limits.max_bytes:
            raise problems.too_many_bytes(limits)
        return _read(fd, status.st_size, limits)
    except OSError as e:
        raise FileUnreadable(
            "read_failed",
            "The file could not be read to its end.",
            "Copy it to this computer’s own disk and try again.",
        ) from e
    finally:
        os.close(fd)


def _read(fd: int, expected: int, limits: Limits) -> bytes:
    """Until the end, in pieces, whatever the size was said to be."""
    chunks, total = [], 0
    while chunk := os.read(fd, max(_CHUNK, expected + 1 - total)):
        chunks.append(chunk)
        total += len(chunk)
        if total > limits.max_bytes:
            raise problems.too_many_bytes(limits)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _given(path: str) -> Iterator[Input]:
    """What one existing or missing path stands for."""
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        yield from _walk(path)
    else:
        yield _file(path)


def _walk(folder: str) -> Iterator[Input]:
    """Everything below a folder, depth first. Holds the names of one folder per level, and no recursion to exhaust."""
    levels = [iter([folder])]
    while levels:
        path = next(levels[-1], None)
        if path is None:
            levels.pop()
            continue
        # The starting folder may be a link; below it, links to folders are not entered.
        if len(levels) > 1 and not _is_own_folder(path):
            yield _file(path)
            continue
        if path.lower().endswith(_PICTURE_ENDINGS):
            yield Input(path, _is_a_folder())
        try:
            names = sorted(n for n in os.listdir(path) if n.lower() not in _LITTER)
        except OSError as e:
            yield Input(path, _closed_folder(e))
            continue
        levels.append(iter([os.path.join(path, name) for name in names]))


def _is_own_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _file(path: str) -> Input:
    """An input that is not a folder to enter, checked without opening it."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as e:
        return Input(path, _broken_link() if _is_link(path) else _unopened(e))
    if stat.S_ISDIR(mode):
        return Input(path, _linked_folder())
    return Input(path, None if stat.S_ISREG(mode) else _not_regular())


def _exists(path: str) -> bool:
    try:
        os.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _matches(path: str) -> list[str]:
    """What a pattern such as `in/**/*.jpg` stands for, sorted, each file once; nothing when it is no pattern."""
    if not glob.has_magic(path) or "\0" in path:
        return []
    found = sorted(set(_expanded(path)))
    # A folder that matched is entered, so what matched below it is listed already.
    folders = {os.path.join(f, "") for f in found if os.path.isdir(f)}
    return [f for f in found if not any(above in folders for above in _above(f))]


def _expanded(pattern: str) -> Iterator[str]:
    """The matches of a pattern. `**` enters no links; `glob` would, and two that loop hold it for ever."""
    parts = pattern.replace(os.altsep or os.sep, os.sep).split(os.sep)
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    at = parts.index("**")
    head = os.sep.join(parts[:at]) + os.sep if at else ""
    tail = os.sep.join(parts[at + 1 :])
    for start in glob.iglob(head) if head else [""]:
        if not tail:
            yield start or os.curdir
            continue
        for folder in _folders_from(start):
            yield from _expanded(glob.escape(folder) + tail)


def _folders_from(start: str) -> Iterator[str]:
    """`start` (empty, or ending in a separator) and every folder below it, without links and hidden ones."""
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        yield folder
        with contextlib.suppress(OSError), os.scandir(folder or os.curdir) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            waiting += [os.path.join(folder, n, "") for n in names if not n.startswith(".")]


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in, each ending in a separator."""
    at = path.find(os.sep)
    while 0 <= at < len(path) - 1:
        yield path[: at + 1]
        at = path.find(os.sep, at + 1)


def _unopened(e: OSError | ValueError) -> CounterproofError:
    """Why a path cannot be opened, in words."""
    number = e.errno if isinstance(e, OSError) else None
    if number in (errno.EACCES, errno.EPERM):
        return FileUnreadable(
            "no_permission",
            "This account may not open the file.",
            "Copy the file into a folder of your own, or ask whoever looks after this computer.",
        )
    if number == errno.EISDIR:
        return _is_a_folder()
    if number == errno.ENXIO:  # a socket, or a device that is not there
        return _not_regular()
    if number == errno.ENAMETOOLONG:
        return FileUnreadable(
            "name_too_long",
            "The path to this file is longer than the system allows.",
            "Move it to a folder nearer the top, and choose it again.",
        )
    if number in (None, errno.ENOENT, errno.ENOTDIR):
        return FileUnreadable("no_such_file", "There is no file at this path.", _GONE)
    return FileUnreadable(
        "open_failed", "The system could not open the file.", f"{_GONE} If that fails, copy it first."
    )


def _not_regular() -> FileRefused:
    return FileRefused(
        "not_a_regular_file",
        "This is a pipe, a socket or a device, not a file with a picture in it.",
        "Nothing needs to be done. Leave it out if it should not be listed.",
    )


def _is_a_folder() -> FileRefused:
    return FileRefused(
        "is_a_folder",
        "This is a folder, although its name ends like a picture’s. The files in it are listed on their own.",
        "Nothing needs to be done.",
    )


def _linked_folder() -> FileRefused:
    return FileRefused(
        "linked_folder",
        "This is a link to another folder. Links are not followed, so that nothing is checked twice or without end.",
        "To check that folder too, choose it directly.",
    )


def _broken_link() -> FileUnreadable:
    return FileUnreadable(
        "broken_link",
        "This is a link, and nothing can be reached through it.",
        "Find the file that it should lead to, and choose that one.",
    )


def _closed_folder(e: OSError) -> CounterproofError:
    if e.errno in (errno.EACCES, errno.EPERM):
        return FileUnreadable(
            "no_permission",
            "This account may not look into the folder.",
            "Copy the folder to a place of your own, or ask whoever looks after this computer.",
        )
    return FileUnreadable("folder_unreadable", "The folder could not be read.", _GONE)
