"""Whether a packet is, to the last bit, one that was packed and signed by `bag`. What is given is hostile until then.

Nothing is unpacked to disk and nothing is decompressed: packets are stored, so a file in the zip is a part of the
bytes given. All lengths are checked against what is there before anything is read.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from desktop.packets import bag, signatures

_END, _CENTRAL, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_END_BYTES, _CENTRAL_BYTES, _LOCAL_BYTES = 22, 46, 30
_ENCRYPTED = 1
_UNIX_KIND, _LINK = 0o170000, 0o120000
_MOST_TEXT = 1 << 20
_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_LINE = re.compile(r"([0-9a-f]{64})  ([!-~]+)")
_UNLISTED = {bag.TAG_MANIFEST, bag.SIGNATURE, bag.MINISIGNATURE}
_SIGNING = (bag.PUBLIC_KEY, bag.MINISIGN_KEY, bag.SIGNATURE, bag.MINISIGNATURE)
_NEEDED = (bag.BAGIT, bag.BAG_INFO, bag.HOW_TO_VERIFY, bag.MANIFEST, bag.TAG_MANIFEST)
# More would not help anybody, and a hostile packet could have thousands.
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. `ok` says that nothing was changed since it was packed, and that the signature, if any, holds.

    `signer` is the fingerprint of the key that signed it, empty when it is not signed or the signature does not hold:
    then anybody could have made it. Whose key it is, only a comparison can show. `problems` are plain sentences,
    `name` and `created_at` are what the packet says of itself, `names` its files; all empty when it cannot be read.
    """

    ok: bool
    problems: tuple[str, ...]
    signer: str = ""
    name: str = ""
    created_at: str = ""
    draft: bool = False
    names: tuple[str, ...] = ()


class _Unsound(Exception):
    """The reason why it cannot be read, as a sentence."""


def verify(data: bytes) -> Verified:
    """Check a packet, as the bytes of its zip. Never raises; needs little memory beside `data` (64 MiB at most)."""
    try:
        whole = _files(memoryview(data))
    except _Unsound as e:
        return Verified(False, (str(e),))
    problems = [] if _same(data, bag.pieces(whole)) else [_REPACKED]
    folders = {path.partition("/")[0] for path in whole}
    if len(folders) != 1:
        return Verified(False, (*problems, "This is not a packet: its files do not lie in one folder."))
    name = folders.pop()
    files = {path[len(name) + 1 :]: content for path, content in whole.items()}
    if missing := [path for path in _NEEDED if path not in files]:
        return Verified(False, (*problems, f"This is not a whole packet: {missing[0]} is missing."), name=name)
    about = _about(files)
    problems += _lists(files)
    if files[bag.BAGIT] != bag.DECLARATION:
        problems.append(f"{bag.BAGIT} is not the one of a packet.")
    draft = about.get("Counterproof-Draft") == "yes"
    if name != bag.name_of(files[bag.TAG_MANIFEST], draft):
        problems.append("The name of the folder is not the one that its content gives it.")
    payload = [content for path, content in files.items() if path.startswith("data/")]
    if about.get("Payload-Oxum") != f"{sum(map(len, payload))}.{len(payload)}":
        problems.append(f"{bag.BAG_INFO} counts other files than there are.")
    created_at = _moment(about.get("Counterproof-Created", ""))
    if created_at is None:
        problems.append(f"{bag.BAG_INFO} does not say when the packet was made.")
    wrong, signer = _signer(files, about, name, created_at)
    problems += wrong
    if len(problems) > _MOST_PROBLEMS:
        problems = [*problems[:_MOST_PROBLEMS], f"And {len(problems) - _MOST_PROBLEMS} more."]
    made = "" if created_at is None else bag.utc(created_at)
    return Verified(not problems, tuple(problems), signer, name, made, draft, tuple(sorted(files)))


_REPACKED = (
    "The zip file is not, to the last bit, as Counterproof writes it: it was packed again or changed, or comes from "
    "another version. Unpacked, its files can be checked as HOW_TO_VERIFY.txt says."
)


def _files(data: memoryview) -> dict[str, memoryview]:
    """The files in the zip, as parts of `data`. Raises _Unsound."""
    if len(data) > bag.MOST_BYTES:
        raise _Unsound(f"This is larger than a packet can be ({bag.MOST_BYTES >> 20} MB), so it was not read.")
    if len(data) < _END_BYTES or data[:4] != _LOCAL:
        raise _Unsound("This is not a packet: it does not begin as a zip file does.")
    if data[-_END_BYTES:-18] != _END:
        raise _Unsound("The end of the zip file is missing, or something was added behind it.")
    disks, here, count, size, start, note = struct.unpack("<IHHIIH", data[-18:])
    if disks or here != count or note or start + size + _END_BYTES != len(data):
        raise _Unsound("The end of the zip file does not fit the rest: something was added, cut off or changed.")
    if count > bag.MOST_FILES or not count:
        raise _Unsound(f"The zip file lists {count} files, which no packet does, so it was not read.")
    files: dict[str, memoryview] = {}
    seen: set[str] = set()
    at = start
    for _ in range(count):
        at = _file(data, at, start, files, seen)
    if at != start + size:
        raise _Unsound(_BROKEN_LIST)
    # Thousands of names for the same bytes would keep us busy for minutes.
    if sum(map(len, files.values())) > start:
        raise _Unsound("The zip file says that its files are longer than it is. Nothing was unpacked.")
    return files


_BROKEN_LIST = "The list of files in the zip file is damaged."


def _file(data: memoryview, at: int, start: int, files: dict[str, memoryview], seen: set[str]) -> int:
    """Add the file whose entry in the directory begins at `at`; where the next entry begins. Raises _Unsound."""
    end = len(data) - _END_BYTES
    if at + _CENTRAL_BYTES > end or data[at : at + 4] != _CENTRAL:
        raise _Unsound(_BROKEN_LIST)
    flags, method = struct.unpack("<HH", data[at + 8 : at + 12])
    packed, size, of_name, extra, note = struct.unpack("<IIHHH", data[at + 20 : at + 34])
    attributes, offset = struct.unpack("<II", data[at + 38 : at + 46])
    after = at + _CENTRAL_BYTES + of_name + extra + note
    if after > end:
        raise _Unsound(_BROKEN_LIST)
    name = bytes(data[at + _CENTRAL_BYTES : at + _CENTRAL_BYTES + of_name]).decode("latin-1")
    if not _PATH.fullmatch(name) or of_name > 200:
        raise _Unsound(f"The zip file holds a name that no packet has: {name[:60]!a}. Nothing was unpacked.")
    if name.casefold() in seen:
        raise _Unsound(f"The zip file holds the same name twice: {name}.")
    seen.add(name.casefold())
    if flags & _ENCRYPTED:
        raise _Unsound("The zip file is encrypted with a zip password. Packets are encrypted with age, or not at all.")
    if attributes >> 16 & _UNIX_KIND == _LINK:
        raise _Unsound(f"The zip file holds a link ({name}), which no packet does. Nothing was unpacked.")
    if method or packed != size or extra or note:
        raise _Unsound(
            "The zip file was packed by another program than Counterproof, so it cannot be compared to the last bit. "
            "Unpack it, and check its files as HOW_TO_VERIFY.txt says."
        )
    begin = offset + _LOCAL_BYTES + of_name
    if begin + size > start:
        raise _Unsound("The zip file says that a file in it is longer than it is. Nothing was unpacked.")
    files[name] = data[begin : begin + size]
    return int(after)


def _same(data: bytes, pieces: Iterable[bytes | memoryview]) -> bool:
    """Whether the pieces, one after the other, are exactly these bytes."""
    at, view = 0, memoryview(data)
    for piece in pieces:
        if view[at : at + len(piece)] != piece:
            return False
        at += len(piece)
    return at == len(data)


def _about(files: Mapping[str, memoryview]) -> dict[str, str]:
    """The labels of bag-info.txt, each of which stands there once; empty when it is not such a file."""
    found: dict[str, str] = {}
    text = _text(files[bag.BAG_INFO])
    for line in text.splitlines():
        label, colon, value = line.partition(": ")
        if not colon or label in found:
            return {}
        found[label] = value
    return found


def _lists(files: Mapping[str, memoryview]) -> list[str]:
    """What is wrong with the two manifests and the files that they name."""
    payload = {path for path in files if path.startswith("data/")}
    problems = _list(files, bag.MANIFEST, payload)
    return problems + _list(files, bag.TAG_MANIFEST, files.keys() - payload - _UNLISTED)


def _list(files: Mapping[str, memoryview], name: str, expected: set[str]) -> list[str]:
    problems, listed = [], {}
    for line in _text(files[name]).splitlines():
        if (found := _LINE.fullmatch(line)) is None or found[2] in listed:
            return [f"{name} is damaged."]
        listed[found[2]] = found[1]
    for path in sorted(expected - listed.keys()):
        problems.append(f"{path} was added: {name} does not list it.")
    for path in sorted(listed.keys() - expected):
        problems.append(f"{path} is missing: {name} lists it.")
    for path in sorted(listed.keys() & expected):
        if hashlib.sha256(files[path]).hexdigest() != listed[path]:
            problems.append(f"{path} was changed.")
    if not problems and bag.manifest({path: files[path] for path in expected}) != files[name]:
        problems.append(f"{name} was changed.")
    return problems


def _signer(
    files: Mapping[str, memoryview], about: Mapping[str, str], name: str, at: datetime | None
) -> tuple[list[str], str]:
    """What is wrong with the signatures, and the fingerprint of the key if nothing is."""
    there = [path for path in _SIGNING if path in files]
    said = about.get("Counterproof-Signer", "")
    if not there and not said:
        return [], ""
    if len(there) != len(_SIGNING):
        return ["Only a part of the signature is there."], ""
    public = signatures.from_pem(bytes(files[bag.PUBLIC_KEY][:_MOST_TEXT]))
    if public is None:
        return [f"{bag.PUBLIC_KEY} is no key that signs packets."], ""
    problems = []
    text = bytes(files[bag.TAG_MANIFEST])
    if signatures.fingerprint(public) != said or files[bag.MINISIGN_KEY] != signatures.minisign_key(public):
        problems.append("The keys in the packet are not one and the same.")
    if not signatures.genuine(public, bytes(files[bag.SIGNATURE][: signatures.RAW_BYTES + 1]), text):
        problems.append("The signature does not hold: the packet was changed after it was signed.")
    shown = "" if at is None else bag.comment(name, at)
    if not signatures.minisign_genuine(public, bytes(files[bag.MINISIGNATURE][:_MOST_TEXT]), text, shown):
        problems.append("The signature for minisign does not hold, or is not the one of this packet.")
    return problems, "" if problems else signatures.fingerprint(public)


def _moment(text: str) -> datetime | None:
    """A time as `bag` writes it, or None for any other text."""
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None and bag.utc(at) == text else None
    except (ValueError, OverflowError):  # the first and the last year have no time in another zone
        return None


def _text(data: memoryview) -> str:
    """The file as text; what is no ASCII, or too long, comes out as one damaged line."""
    return bytes(data).decode("ascii", "replace") if len(data) <= _MOST_TEXT else "\ufffd"
