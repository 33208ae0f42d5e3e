"""Newer facts from a file that a person chose: checked, shown as differences, and only then added.

Whoever can change a fact can send requests about intimate pictures to himself. So a file is read with limits, must hold
to the schema, and every difference that is not plainly harmless is risky and comes first.
"""

from __future__ import annotations

import datetime
import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop.packets import facts_file
from desktop.packets.facts import Facts, FactsError, Law, Platform, cross_check, day, last_read, load
from desktop.safety.helplines import Helpline

if TYPE_CHECKING:
    import zipfile

MAX_BYTES = 1 << 20
MAX_FILES = 200
MAX_FILE_BYTES = 64 << 10

_MAX_DOTS = 60
_KINDS: Mapping[str, Callable[..., Law | Platform | Helpline]] = {
    "laws": facts_file.parse_law,
    "platforms": facts_file.parse_platform,
    "helplines": facts_file.parse_helpline,
}
_NAME = re.compile(r"(laws|platforms|helplines)/([a-z][a-z0-9_]{0,63})\.toml")
# Words that steer nothing. All other keys are risky: addresses, roles, elements, deadlines, costs, confidence.
_HARMLESS = {
    "name", "citation", "synthetic_says", "says", "gloss", "source", "verified_on", "owner", "stopncii_since", "hours",
    "cite", "label",
}  # fmt: skip
_ADDRESS = re.compile(r"@|://|\w\.\w{2}")
_NUMBER = re.compile(r"\+?\d[\d -]{5,}\d")


@dataclass(frozen=True, slots=True)
class Difference:
    """One change: the `file` (`laws/us_tida`), the `key` in it, and its value before and after; empty where there is
    none. `risky` says that it changes where a request goes, who may send it, what it must hold, or how sure it is."""

    file: str
    key: str
    old: str
    new: str
    risky: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a file would add: its files by name (`laws/us_tida.toml`), and the differences, the risky ones first."""

    files: Mapping[str, bytes]
    differences: tuple[Difference, ...]


def check_import(path: Path, facts: Facts, today: datetime.date | None = None) -> Proposal:
    """Read a `.toml` of one law, platform or helpline, or a `.zip` of `laws/`, `platforms/` and `helplines/`.

    Nothing is written. Raises FactsError: facts_unreadable, facts_too_large, facts_malformed, facts_older (than what is
    there, or dated after `today`), facts_nothing_new.
    """
    files = _unpacked(path)
    parsed = {name: _parsed(name, data) for name, data in files.items()}
    differences: list[Difference] = []
    for name, fact in parsed.items():
        old = _there(name, facts)
        _check_date(name, old, fact, today or datetime.date.today())
        differences += _differences(name.removesuffix(".toml"), old, fact)
    if not differences:
        raise FactsError("facts_nothing_new", "This file holds nothing that is not known already.", "Nothing to do.")
    merged = _merged(facts, parsed)
    if wrong := cross_check(merged):
        raise _malformed(path.name, wrong[0])
    return Proposal(files, tuple(sorted(differences, key=lambda d: (not d.risky, d.file))))


def apply_import(proposal: Proposal, added: Path, today: datetime.date | None = None) -> None:
    """Write the files of a proposal into the folder of the day under `added`; `facts.load` reads them from there.

    Raises FactsError (facts_not_written). What was there before stays whole until each new file is.
    """
    folder = added / (today or datetime.date.today()).isoformat()
    try:
        for name, data in proposal.files.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
    except OSError as e:
        raise FactsError(
            "facts_not_written", f"The facts could not be stored: {e.strerror}.", "Make room, and try again."
        ) from e
    finally:
        load.cache_clear()


def _unpacked(path: Path) -> dict[str, bytes]:
    """The files by name, sorted."""
    try:
        # A pipe would wait for ever, and a device has no end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FactsError("facts_unreadable", "This is not a file.", "Choose a .toml or .zip file.")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as e:
        raise FactsError(
            "facts_unreadable", f"The file could not be read: {e.strerror}.", "Choose a file that can be read."
        ) from e
    if len(data) > MAX_BYTES:
        raise _too_large()
    if data.startswith(b"PK"):
        return _unzipped(path.name, data)
    kind = _kind(_toml(path.name, data))
    name = f"{kind}/{path.stem}.toml"
    if not _NAME.fullmatch(name):
        raise _malformed(path.name, "the name of the file must be the id, in lower-case letters, digits and _")
    return {name: data}


def _unzipped(archive: str, data: bytes) -> dict[str, bytes]:
    import zipfile
    import zlib

    found: dict[str, bytes] = {}
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zip_file:
            entries = [e for e in zip_file.infolist() if e.filename not in {f"{kind}/" for kind in _KINDS}]
            if len(entries) > MAX_FILES:
                raise _too_large()
            for entry in entries:
                _check_entry(archive, entry)
                if entry.filename in found:
                    raise _malformed(archive, f"{entry.filename} is in it twice")
                with zip_file.open(entry) as file:  # what the archive says of sizes is not believed
                    found[entry.filename] = file.read(left + 1)
                left -= len(found[entry.filename])
                if left < 0:
                    raise _too_large()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as e:
        raise _malformed(archive, "the archive is damaged") from e
    if not found:
        raise _malformed(archive, "the archive holds no facts")
    return dict(sorted(found.items()))


def _check_entry(archive: str, entry: zipfile.ZipInfo) -> None:
    import zipfile

    mode = entry.external_attr >> 16
    if not _NAME.fullmatch(entry.filename):
        raise _malformed(archive, "every name in it must be such as laws/us_tida.toml")
    if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _malformed(archive, f"{entry.filename} is encrypted or packed in an unusual way")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _malformed(archive, f"{entry.filename} is not a plain file")


def _toml(name: str, data: bytes) -> dict[str, Any]:
    import tomllib

    if len(data) > MAX_FILE_BYTES:
        raise _too_large()
    # The time that the parser takes for a name such as a.b.c grows with the square of its parts.
    if any(line.count(b".") > _MAX_DOTS for line in data.splitlines()):
        raise _malformed(name, f"a line has more than {_MAX_DOTS} dots")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise _malformed(name, "it is not a TOML file in UTF-8" if isinstance(e, RecursionError) else str(e)) from e


def _kind(values: Mapping[str, Any]) -> str:
    """Of which kind a single file is: only laws have a citation, only platforms have channels."""
    if "citation" in values:
        return "laws"
    return "platforms" if "channel" in values else "helplines"


def _parsed(name: str, data: bytes) -> Law | Platform | Helpline:
    kind, id = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    values = _toml(name, data)
    try:
        return _KINDS[kind](id, values)
    except ValueError as e:
        raise _malformed(name, str(e)) from e


def _there(name: str, facts: Facts) -> Law | Platform | Helpline | None:
    kind, _, id = name.removesuffix(".toml").partition("/")
    known: Mapping[str, Law | Platform | Helpline] = getattr(facts, kind)
    return known.get(id)


def _check_date(
    name: str, old: Law | Platform | Helpline | None, new: Law | Platform | Helpline, today: datetime.date
) -> None:
    read = last_read(new)
    if read > today:
        raise FactsError(
            "facts_older",
            f"{name} says that it was verified on {day(read)}, which has not come yet.",
            "Check the date of this computer, and who made the file.",
        )
    if old and read < last_read(old):
        raise FactsError(
            "facts_older",
            f"{name} is older than what is there, which was verified on {day(last_read(old))}.",
            "Use what is there, or ask for a newer file.",
        )


def _differences(file: str, old: Law | Platform | Helpline | None, new: Law | Platform | Helpline) -> list[Difference]:
    before, after = dict(_flat(old)) if old else {}, dict(_flat(new))
    found = []
    for key in sorted({*before, *after}):
        was, becomes = before.get(key, ""), after.get(key, "")
        if was != becomes:
            found.append(Difference(file, key, was, becomes, _risky(key, was, becomes)))
    return found


def _flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every single value with its key: `channels take_it_down address`. Records are known by their id or number."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name not in ("id", "added_on") or key:
                yield from _flat(getattr(value, field.name), f"{key} {field.name}".strip())
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{key} {name}")
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{key} {getattr(inner, 'id', number)}")
    elif isinstance(value, tuple):
        yield key, ", ".join(map(str, value))
    else:
        yield key, "" if value in (None, 0) else str(value)


def _risky(key: str, old: str, new: str) -> bool:
    words = key.split()
    if words[0] in ("deadline", "warnings_for") or (words[-1] not in _HARMLESS and words[0] != "gloss"):
        return True
    # A harmless text may still send somebody somewhere.
    return bool(_addresses(new) - _addresses(old)) and words[-1] not in ("source", "verified_on", "citation", "cite")


def _addresses(text: str) -> set[str]:
    """The words that look like a web or e-mail address, and what looks like a telephone number."""
    return {word for word in text.split() if _ADDRESS.search(word)} | {*_NUMBER.findall(text)}


def _merged(facts: Facts, parsed: Mapping[str, Law | Platform | Helpline]) -> Facts:
    laws, platforms = dict(facts.laws), dict(facts.platforms)
    for fact in parsed.values():
        if isinstance(fact, Law):
            laws[fact.id] = fact
        elif isinstance(fact, Platform):
            platforms[fact.id] = fact
    return Facts(laws, platforms, facts.added_by_hand)


def _too_large() -> FactsError:
    return FactsError(
        "facts_too_large",
        f"It is too large: at most {MAX_FILES} files of {MAX_FILE_BYTES >> 10} KiB, in all {MAX_BYTES >> 20} MiB.",
        "Choose a file with fewer facts.",
    )


def _malformed(name: str, why: str) -> FactsError:
    shown = name if name.isprintable() and len(name) <= 100 else "The file"
    return FactsError(
        "facts_malformed",
        f"{shown} cannot be used: {why[:200]}.",
        "Nothing was changed. Ask whoever gave you the file for one that holds to the schema in docs/facts.md.",
    )
