"""The packet: letters and records as one BagIt bag (RFC 8493), signed, in a zip file that comes out the same each time.

Everything happens in memory. `save` writes finished files and nothing else, and never over a file that is there.

The zip is written here, stored and not compressed: two versions of a compression library may pack the same bytes
differently, and what is inside is compressed already. So the same request, time, key and version of Counterproof give
the same bytes on every machine, and `verify` can compare a packet with what should have been written, byte for byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from desktop import words
from desktop.packets import signatures
from detectors import __version__
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from desktop.packets.complete import Assessment
    from desktop.packets.facts import Facts
    from desktop.packets.letters import Custody
    from desktop.packets.request import Request

# A packet of letters is a few hundred KB; only images make one large, and who receives it has limits too.
MOST_BYTES = 64 << 20
MOST_FILES = 4096

BAGIT, BAG_INFO, HOW_TO_VERIFY = "bagit.txt", "bag-info.txt", "HOW_TO_VERIFY.txt"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
PUBLIC_KEY, MINISIGN_KEY = "signature/public-key.pem", "signature/minisign.pub"
SIGNATURE, MINISIGNATURE = "signature/tagmanifest.sig", "signature/tagmanifest.minisig"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
NAME = re.compile(r"(request|draft)-[0-9a-f]{8}")

_HOW = """\
HOW TO VERIFY THIS PACKET

This packet was made with Counterproof, a free program for people who are targeted with
intimate images. You do not need that program to check the packet: free tools that many
computers have already are enough.

Unpack the zip file, and open a command line in the folder where this file lies (on
Windows: Git Bash, or WSL). The commands are the lines that begin with "$ ". Leave the
"$ " out. Read the letters in this folder too: what lies beside it was not checked, nor
what a program shows of the zip file.


1. Nothing was changed, nothing was added

  $ sha256sum -c manifest-sha256.txt tagmanifest-sha256.txt

On a Mac:

  $ shasum -a 256 -c manifest-sha256.txt tagmanifest-sha256.txt

Every line must end in "OK". This proves that each file that the two lists name is, to
the last bit, the one that they were made from. This shows the files that they do not
name:

  $ (cut -c 67- manifest-sha256.txt tagmanifest-sha256.txt | sed "s|^|./|"; find . ! -type d) | sort | uniq -u

It must show {unlisted}:

{files}

Your own computer may have added one of its own, such as .DS_Store. Do not rely on any
other file. Instead of the first command, this does (pip install bagit), and must end in
"is valid". It does not show every file that was added:

  $ bagit.py --validate .

"""
_HOW_SIGNED = """\

2. It was signed

Either with OpenSSL 3 or newer, which must say "Signature Verified Successfully":

  $ openssl pkeyutl -verify -pubin -inkey signature/public-key.pem -rawin \
-in tagmanifest-sha256.txt -sigfile signature/tagmanifest.sig

Or with minisign (https://jedisct1.github.io/minisign/), which must say "Signature and
comment signature verified":

  $ minisign -Vm tagmanifest-sha256.txt -x signature/tagmanifest.minisig -P "$(sed -n 2p signature/minisign.pub)"

This proves that the list of lists was signed with the key in this packet, and not
changed afterwards. As the lists hold the fingerprint of every file, step 1 and step 2
together prove it of every file.


3. It is the key that you expect

After OpenSSL in step 2, the first line that this shows must be "ED25519 Public-Key:",

  $ openssl pkey -pubin -in signature/public-key.pem -noout -text

and this shows the fingerprint of the key:

  $ openssl pkey -pubin -in signature/public-key.pem -outform DER | tail -c 32 | openssl dgst -sha256

After minisign in step 2, this shows the fingerprint of the key:

  $ sed -n 2p signature/minisign.pub | openssl base64 -d -A | tail -c 32 | openssl dgst -sha256

It must be this one, with or without spaces, which the notice, complaint or report in
data/letters bears too:

  {first}
  {second}

Somebody who replaces the whole packet can make a new key, and write this file and the
letters anew. Then the fingerprint that the commands show is another one than that of
the sender. So compare it with an earlier packet from the same sender, or ask the sender
to read it to you. Step 3 proves that two packets come from the same key.

"""
_HOW_UNSIGNED = """\

2. It is not signed

No key was used for this packet. Step 1 shows accidents; it cannot show whether somebody
made the packet anew. Ask the sender.

"""
_HOW_END = """\

{number}. The zip file

If a file whose name ends in ".zip.sha256" came with the packet, this, where the zip
file lies, shows that the zip file is the one that was made, to the last bit:

  $ sha256sum -c *.zip.sha256

On a Mac:

  $ shasum -a 256 -c *.zip.sha256

It must name the zip file, and end in "OK". On Windows, without any other program, this
shows 64 digits that must be those in that file (write the name of the zip file in the
place of NAME):

  > certutil -hashfile NAME.zip SHA256

Somebody who changes the zip file can write such a file anew: it proves as much as the
way by which you received it. A zip file has a few bytes of its own around the files,
such as dates. They hold nothing of the request, and the steps above do not look at
them; this step does, and so does "counterproof packet verify".


What none of this proves

- Who the sender is. A key is not a name, and everybody can make one.
- That what the letters say is true. It proves only that it is what was signed.
- When it was made. The time in it, {made},
  is what the sender's computer said.
"""


class PacketError(CounterproofError):
    """A packet was not built or not written. Nothing was left behind.

    Codes: incomplete, no_time, the codes of refusals, packet_too_large, image_not_asked, not_that_image, output_exists,
    output_not_writable, and those of `age_files`.
    """


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet in memory. `name` is that of its folder and its files, made from its content; `sha256` is the zip's.

    `signer` is the fingerprint of the key, empty when it is not signed. `files` are the paths in the folder.
    """

    name: str
    zip: bytes = field(repr=False)
    sha256: str
    signer: str
    files: tuple[str, ...]


def build(
    assessment: Assessment,
    facts: Facts,
    *,
    key: Ed25519PrivateKey | None,
    custody: Custody | None = None,
    images: Mapping[int, bytes] | None = None,
    draft: bool = False,
) -> Packet:
    """The packet of a request, in memory. `draft` marks every page, and lets it be incomplete.

    `images` are bytes by the id of the item, blurred or whole as the request says; they lie beside the letters, which
    never show them. Raises PacketError: the code of a refusal, incomplete, no_time, image_not_asked,
    not_that_image, packet_too_large; and SetupError when something that letters are made from is missing.
    """
    from desktop.packets import contents, letters
    from desktop.packets.catalogue import catalogue
    from desktop.packets.letter_bodies import Letter, moment

    request = assessment.request
    for refusal in assessment.refusals:
        raise PacketError(refusal.code, refusal.says, refusal.remedy)
    if assessment.missing and not draft:
        raise PacketError(
            "incomplete",
            f"The request is not complete. {' '.join(check.says for check in assessment.missing)}",
            "Add what is missing, or make a draft.",
        )
    if request.created_at is None and not draft:
        raise PacketError("no_time", "The request does not say when it is made.", "Add created_at to it.")
    enclosed = dict(images or {})
    _check_images(request, enclosed)
    kept = custody if request.include.custody else None
    signer = "" if key is None else signatures.fingerprint(signatures.raw_public(key))
    made = letters.documents(assessment, facts, draft=draft, custody=kept, signer=signer, images=enclosed)
    letter = Letter(catalogue(request.language), assessment, facts, draft)
    payload = contents.payload(letter, made, kept, enclosed)
    return pack(payload, created_at=moment(request), key=key, draft=draft, head=kept.head if kept else "")


def _check_images(request: Request, images: Mapping[int, bytes]) -> None:
    """Raises PacketError where images are given that the request does not ask for, or other ones."""
    items = {item.id: item for item in request.items}
    if images and (request.include.image == "none" or not images.keys() <= items.keys()):
        raise PacketError(
            "image_not_asked", "An image was to go along that the request does not ask for.", "Leave images out."
        )
    for number, data in images.items():
        known = items[number].sha256
        if request.include.image == "full" and known and hashlib.sha256(data).hexdigest() != known:
            raise PacketError(
                "not_that_image",
                f"The file given for image {number} is not the one that the request names.",
                "Give the file that was checked, or leave images out.",
            )


def pack(
    payload: Mapping[str, bytes],
    *,
    created_at: datetime,
    key: Ed25519PrivateKey | None,
    draft: bool = False,
    head: str = "",
) -> Packet:
    """The bag with these files in its `data/`, as a zip.

    Paths in `payload` are ASCII with forward slashes, without `data/`. `created_at` is aware; `head` is the
    short head of a custody log. The folder's name begins with the SHA-256 of the tag manifest (RFC 8493, 2.2.1),
    in which the public key is listed, so another key makes another name. Raises PacketError packet_too_large.
    """
    public = b"" if key is None else signatures.raw_public(key)
    signer = signatures.fingerprint(public) if public else ""
    files = {f"data/{path}": data for path, data in payload.items()}
    about = {
        "Bagging-Date": utc(created_at)[:10],
        "Bag-Software-Agent": f"Counterproof {__version__}",
        "Payload-Oxum": f"{sum(map(len, files.values()))}.{len(files)}",
        "Counterproof-Created": utc(created_at),
        "Counterproof-Draft": "yes" if draft else "",
        "Counterproof-Custody-Head": head,
        "Counterproof-Signer": signer,
    }
    tags = {
        BAGIT: DECLARATION,
        BAG_INFO: "".join(f"{label}: {value}\n" for label, value in about.items() if value).encode("ascii"),
        HOW_TO_VERIFY: how_to_verify(signer, created_at).encode("ascii"),
        MANIFEST: manifest(files),
    }
    if public:
        tags |= {PUBLIC_KEY: signatures.pem(public), MINISIGN_KEY: signatures.minisign_key(public)}
    listed = manifest(tags)
    name = name_of(listed, draft)
    files |= tags | {TAG_MANIFEST: listed}
    if key is not None:
        files[SIGNATURE] = key.sign(listed)
        files[MINISIGNATURE] = signatures.minisign(key, listed, comment(name, created_at))
    if len(files) > MOST_FILES or sum(map(len, files.values())) > MOST_BYTES - (256 * len(files)):
        raise PacketError(
            "packet_too_large",
            f"This packet would have {words.count(len(files), 'file', 'files')} or more than {MOST_BYTES >> 20} MB.",
            "Leave images out, or split the request: counterproof packet split.",
        )
    data = b"".join(pieces({f"{name}/{path}": data for path, data in files.items()}))
    return Packet(name, data, hashlib.sha256(data).hexdigest(), signer, tuple(sorted(files)))


def manifest(files: Mapping[str, bytes | memoryview]) -> bytes:
    """A manifest of RFC 8493, 2.1.3, as `sha256sum -c` reads it too: one line a file, in the order of the paths."""
    return "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)).encode("ascii")


def name_of(tag_manifest: bytes | memoryview, draft: bool) -> str:
    """The name of the packet with this tag manifest."""
    return f"{'draft' if draft else 'request'}-{hashlib.sha256(tag_manifest).hexdigest()[:8]}"


def comment(name: str, created_at: datetime) -> str:
    """What minisign shows beside a good signature: the time, as it always has it, and the packet's name."""
    return f"timestamp:{int(created_at.timestamp())}\tpacket:{name}"


def how_to_verify(signer: str, created_at: datetime) -> str:
    """HOW_TO_VERIFY.txt: how anybody checks the packet with public tools, what that proves, and what it does not."""
    unlisted = [MINISIGNATURE, SIGNATURE, TAG_MANIFEST] if signer else [TAG_MANIFEST]
    many = "these three and no other" if signer else "this one and no other"
    how = _HOW.format(unlisted=many, files="\n".join(f"  ./{path}" for path in unlisted))
    signed = _HOW_SIGNED.format(first=signer[:39], second=signer[40:]) if signer else _HOW_UNSIGNED
    return how + signed + _HOW_END.format(number=4 if signer else 3, made=utc(created_at))


def pieces(files: Mapping[str, bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """A zip file in pieces (APPNOTE 6.3.3: stored, no extra fields, no comments, no time but the format's first day).

    The files lie in the order of their names, with the attributes that a Unix system gives `-rw-r--r--`.
    """
    directory, offset = [], 0
    for path in sorted(files):
        data, name = files[path], path.encode("ascii")
        # Version 2.0; names are UTF-8; stored; 00:00 on 1 January 1980.
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0x0800, 0, 0, 0x21, zlib.crc32(data), len(data), len(data), len(name), 0
        )
        local = b"PK\x03\x04" + common + name
        yield local
        yield data
        made_by, attributes = 3 << 8 | 20, 0o100644 << 16
        entry = struct.pack("<H", made_by) + common + struct.pack("<HHHII", 0, 0, 0, attributes, offset)
        directory.append(b"PK\x01\x02" + entry + name)
        offset += len(local) + len(data)
    size = sum(map(len, directory))
    yield from directory
    yield b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(directory), len(directory), size, offset, 0)


def outputs(packet: Packet, sheet: bytes = b"", text: str = "", encrypted: bytes = b"") -> dict[str, bytes]:
    """What is written of a packet: the zip, or the encrypted zip in its place; the SHA-256 of the zip as `sha256sum -c`
    reads it; and for the sender alone the sheet, as PDF and as text to copy from, unless it is left out."""
    whole = {f"{packet.name}.zip.age": encrypted} if encrypted else {f"{packet.name}.zip": packet.zip}
    whole[f"{packet.name}.zip.sha256"] = f"{packet.sha256}  {packet.name}.zip\n".encode("ascii")
    if sheet:
        whole |= {f"for-you-{packet.name}.pdf": sheet, f"for-you-{packet.name}.txt": text.encode("utf-8")}
    return whole


def save(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write files into a folder, made if it is not there, for this account alone: all of them, or none.

    A file that is there already and holds the same is left as it is. Returns the paths, in the order given. Raises
    PacketError output_exists or output_not_writable.
    """
    made: list[Path] = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = [name for name, data in files.items() if not _there(folder / name, data)]
        for name in new:
            made.append(folder / f"{name}.new")
            _write(made[-1], files[name])
        for name in new:
            os.rename(folder / f"{name}.new", folder / name)
            made.append(folder / name)
        _settle(folder)
    except BaseException as e:
        for path in made:
            with contextlib.suppress(OSError):
                path.unlink()
        if isinstance(e, OSError):
            raise PacketError(
                "output_not_writable",
                f"Nothing was written to {words.visible(str(folder))} ({e.strerror or e}).",
                "Choose another folder, or free some space there.",
            ) from e
        raise
    return tuple(folder / name for name in files)


def _there(path: Path, data: bytes) -> bool:
    """Whether the file is there with this content. Raises PacketError when it is there with another."""
    if not os.path.lexists(path):
        return False
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return True
    raise PacketError(
        "output_exists",
        f"{words.visible(str(path))} is there already, and stays as it is.",
        "Choose another folder, or move that file away.",
    )


def _write(path: Path, data: bytes) -> None:
    if path.is_file() or path.is_symlink():
        path.unlink()  # left by a build that was killed; it would stop each one after it
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Where the system can, bring the new names to the disk, so that no casebook records a file that a power cut takes
    away."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # not all file systems can, and the files are there
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def utc(at: datetime) -> str:
    """A time in UTC, whole seconds, so that two ways to write the same moment make the same packet."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
