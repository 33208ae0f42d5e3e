"""`counterproof packet build`: the request, the key, the casebook and the pictures, put together and written."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop import packet_show as show
from desktop import words
from desktop.cli import DONE, SOME_NOT, USAGE
from desktop.packets import bag
from desktop.safety import passphrase
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from desktop.casebook.casebook import Casebook
    from desktop.packets.bag import Packet
    from desktop.packets.complete import Assessment
    from desktop.packets.facts import Facts
    from desktop.packets.letters import Custody
    from desktop.packets.request import Request, RequestItem

_WHAT_AN_IMAGE_MEANS = {
    "blurred": "A small blurred form of each picture goes into the packet. It shows hardly more than that there is a "
    "picture. Whoever receives the packet has it then, and so has everybody to whom they pass it on.",
    "full": "The picture itself goes into the packet, whole and clear, with all that its file says beside it: often "
    "the place, the time and the camera. Whoever receives the packet has it then, can look at it and pass it on, and "
    "you cannot take it back. Hardly any request needs this: the address is enough.",
}
_IN_CLEAR = (
    "Only the packet is encrypted. The request stays readable for whoever uses this computer, and so do the two files "
    "for you that are written beside the packet. --no-sheet leaves these two out."
)
_BLURRED_SIDE = 128  # small enough to give little away even before it is blurred


def build(args: argparse.Namespace, assessment: Assessment, facts: Facts) -> int:
    """Build and write the packet of a request, or say what it lacks; the exit status. Raises CounterproofError."""
    from desktop.packets import letters

    encryption = _encryption(args)
    if assessment.refusals or not (assessment.complete or args.draft):
        if args.json:
            show.as_json("packet_build", show.assessed(assessment))
        else:
            show.say_all(show.check_lines(assessment))
            if not assessment.refusals:
                show.tell("Nothing was built. Add what is missing, or use --draft for a draft.")
        return USAGE
    files = _files(args, assessment.request)
    if args.image != "none" and not _sure(args, assessment.request, files):
        return SOME_NOT
    if encryption and not args.no_sheet:
        show.tell(_IN_CLEAR)
    with _casebook(args) as book:
        custody = _custody(book, assessment.request)
        packet = bag.build(
            assessment,
            facts,
            key=_key(args, book),
            custody=custody,
            images=_images(args, assessment.request, files, book),
            draft=args.draft,
        )
        encrypted = encryption(packet.zip) if encryption else b""
        if args.no_sheet:
            written = bag.outputs(packet, encrypted=encrypted)
        else:
            sheet, text = letters.sheet(assessment, facts, draft=args.draft)
            written = bag.outputs(packet, sheet.pdf, text, encrypted)
        paths = bag.save(Path(args.output), written)
        head = custody.head if custody and assessment.request.include.custody else ""
        recorded = _recorded(args, book, assessment, facts, packet, head)
    if args.json:
        made = _made(packet, paths, args.draft)
        show.as_json("packet_build", {**show.assessed(assessment), **made, "recorded": recorded})
    else:
        show.say_all(show.built_lines(args, assessment, packet, paths))
    return DONE if recorded or book is None or args.draft else SOME_NOT


def _encryption(args: argparse.Namespace) -> Callable[[bytes], bytes] | None:
    """How the packet is encrypted, with everything asked for and checked before anything else is done."""
    from desktop.packets import age_files

    by_passphrase = args.encrypt or args.packet_passphrase_file is not None or args.packet_passphrase_fd is not None
    if args.to and by_passphrase:
        raise CounterproofError(
            "two_encryptions",
            "A packet is encrypted to keys or with a passphrase, not both.",
            "Leave out --to, or the passphrase.",
        )
    if args.to:
        age_files.encrypt(b"", recipients=args.to)
        return lambda data: age_files.encrypt(data, recipients=args.to)
    if by_passphrase:
        chosen = passphrase.choose(args.packet_passphrase_fd, args.packet_passphrase_file)
        return lambda data: age_files.encrypt(data, passphrase=chosen)
    return None


def _files(args: argparse.Namespace, request: Request) -> dict[int, Path]:
    """Where the pictures of --image lie, by item, if the request names their files: links followed to their ends."""
    if args.image == "none":
        return {}
    beside = Path("." if args.request == "-" else args.request).parent
    return {item.id: Path(os.path.realpath(beside / item.file)) for item in request.items if item.file}


def _sure(args: argparse.Namespace, request: Request, files: Mapping[int, Path]) -> bool:
    """Whether the person wants the pictures to go along, after being told what that means and which files they are.

    The request may come from somebody else, who could name any file of this computer.
    """
    from desktop.safety import age_gate

    show.tell(_WHAT_AN_IMAGE_MEANS[args.image])
    for item in request.items:
        place = str(files[item.id]) if item.id in files else "from the casebook"
        sys.stderr.write(f"  item {item.id}: {words.visible(place)}\n")
    if args.yes:
        return True
    if not age_gate.at_terminal():
        raise CounterproofError("not_confirmed", "Nothing was built.", "Add --yes if you are sure about the pictures.")
    sys.stderr.write("Put them in? Type yes, or press Enter to leave it: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().casefold() == "yes":
        return True
    show.tell("Nothing was built. Without --image, the packet holds no picture.")
    return False


def _casebook(args: argparse.Namespace) -> AbstractContextManager[Casebook | None]:
    """The casebook of --casebook, opened, or nothing. Raises CounterproofError."""
    import argparse
    import contextlib

    from desktop import case_cli

    if args.casebook is None:
        return contextlib.nullcontext()
    asked = argparse.Namespace(**vars(args), file=args.casebook, recovery_code=False, case_verb="packet")
    return case_cli.opened(asked)


def _custody(book: Casebook | None, request: Request) -> Custody | None:
    """What the casebook's log says of the pictures of the request; None where it knows none of them."""
    if book is None:
        return None
    from desktop.packets import gather

    if items := gather.items_of(book, request):
        return gather.custody_of(book, items)
    show.tell("The casebook knows none of these pictures by its fingerprint, so no custody log goes along.")
    return None


def _key(args: argparse.Namespace, book: Casebook | None) -> Ed25519PrivateKey | None:
    """The key that signs: the casebook's, that in the file of --key, or none."""
    if book is not None:
        return book.signing_key()
    return None if args.unsigned else _key_of(Path(args.key))


def _key_of(path: Path) -> Ed25519PrivateKey:
    """The key in a file, which is made when it is not there. Raises CounterproofError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from detectors.inputs import read_file
    from detectors.intake.limits import Limits

    name = words.visible(str(path))
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        kind = serialization.PrivateFormat.PKCS8
        bag.save(
            path.parent,
            {path.name: made.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())},
        )
        show.tell(f"{name} is a new key, which was made now. Keep it to yourself: whoever has it can sign as you.")
        return made
    if not path.is_file():
        raise _no_key(name)
    if os.name != "nt" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        show.tell(f"Others on this computer may read {name}, and sign as you. To keep it to yourself: chmod 600 {name}")
    try:
        key = serialization.load_pem_private_key(read_file(str(path), Limits(max_bytes=1 << 16)), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise _no_key(name) from e
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(name)
    return key


def _no_key(name: str) -> CounterproofError:
    return CounterproofError(
        "bad_key",
        f"{name} is not a key that signs packets.",
        "It has to be an Ed25519 key in PEM form without a passphrase. Name a new file, and one is made.",
    )


def _images(
    args: argparse.Namespace, request: Request, files: Mapping[int, Path], book: Casebook | None
) -> dict[int, bytes]:
    """The pictures that go along, by item: whole, or blurred by the worker. Raises CounterproofError."""
    if args.image == "none":
        return {}
    found = {item.id: _image(item, files.get(item.id), book) for item in request.items}
    if not found:
        raise CounterproofError("no_image", "The request names no picture.", "Leave --image out.")
    if args.image == "full":
        return found
    from detectors.scan import Scanner, ScanOptions

    with Scanner(ScanOptions(jobs=1)) as scanner:
        previews = {number: scanner.preview_of(data, _BLURRED_SIDE, True) for number, data in found.items()}
    return {number: _png(p.width, p.height, p.rgb) for number, p in previews.items()}


def _image(item: RequestItem, path: Path | None, book: Casebook | None) -> bytes:
    """A picture's bytes, which nothing here parses: from the file that the request names, or from the casebook."""
    if path is not None:
        return _image_in(path)
    kept = [i for i in book.find_items(item.sha256) if i.has_image] if book and item.sha256 else []
    if not kept or book is None:
        raise CounterproofError(
            "no_image",
            f"The picture of item {item.id} is not there.",
            'Name its file in the request (file = "…"), give a casebook that keeps it, or leave --image out.',
        )
    return book.image(kept[0].id)


def _image_in(path: Path) -> bytes:
    """The bytes of a file that begins as a picture does. Raises CounterproofError."""
    from desktop import settings
    from detectors.inputs import read_file
    from detectors.intake.sniff import SNIFF_BYTES, sniff

    name = words.visible(str(path))
    try:
        data = read_file(str(path), settings.load().limits)
    except CounterproofError as e:
        raise CounterproofError(e.code, f"{name}: {e.message}", e.remedy) from e
    if sniff(data[:SNIFF_BYTES]) is None:
        raise CounterproofError(
            "no_image", f"{name} is not a picture, so nothing was built.", "Look at which file the request names."
        )
    return data


def _png(width: int, height: int, rgb: bytes) -> bytes:
    """Pixels that the worker made as a PNG file (ISO/IEC 15948: 8 bits, RGB, no filter)."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rgb[at : at + 3 * width] for at in range(0, len(rgb), 3 * width))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _recorded(
    args: argparse.Namespace, book: Casebook | None, assessment: Assessment, facts: Facts, packet: Packet, head: str
) -> bool:
    """Record a packet that was written in the casebook that it was made from; a draft is not. Says why it was not."""
    if book is None or args.draft:
        return False
    from desktop.packets import gather

    try:
        gather.record_built(
            book,
            packet,
            assessment.request,
            facts,
            head=head,
            channel=assessment.channel.id,
            incident_id=args.incident,
        )
    except CounterproofError as e:
        show.tell(f"The packet is written, but not recorded in the casebook. {e.message} {e.remedy}")
        return False
    return True


def _made(packet: Packet, paths: Sequence[Path], draft: bool) -> dict[str, Any]:
    return {
        "name": packet.name,
        "sha256": packet.sha256,
        "signer": packet.signer,
        "draft": draft,
        "written": [str(p) for p in paths],
    }
