"""Small packets of stand-in files, for the tests of the bag and of its check."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from desktop.packets import bag

AT = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PAYLOAD = {
    "letters/notice.en.pdf": b"%PDF-1.7 stands in for a letter\n" * 20,
    "request.json": b'{"schema":"counterproof.packet/1"}\n',
    "custody.csv": b"seq,at,who,action,subject,digest\r\n",
}


def packed(key: Ed25519PrivateKey | None = KEY, draft: bool = False) -> bag.Packet:
    """A small packet."""
    return bag.pack(PAYLOAD, created_at=AT, key=key, draft=draft, head="7-ABCD-EFGH-JKLM-NPQR")


def files_of(packet: bag.Packet) -> dict[str, bytes]:
    """The files of a packet, by path in its folder."""
    with zipfile.ZipFile(io.BytesIO(packet.zip)) as whole:
        return {info.filename.partition("/")[2]: whole.read(info) for info in whole.infolist()}


def zipped(name: str, files: Mapping[str, bytes]) -> bytes:
    """Files as a zip in our own form, whatever is in them."""
    return b"".join(bag.pieces({f"{name}/{path}": data for path, data in files.items()}))
