"""Encryption of a packet with age (https://age-encryption.org/v1): to somebody's public key, or with a passphrase.

What comes out differs each time, as it should: it is the zip inside that is reproducible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from desktop.packets.bag import MOST_BYTES, PacketError

_MARK = b"age-encryption.org/v1\n"
_BY_PASSPHRASE = b"-> scrypt "
# How costly it was made to guess the passphrase (scrypt's N, as a power of two). Each step doubles the memory that it
# takes to open the file: 256 MB at 18, which age takes on a usual computer, 1 GB at 20, 4 GB at 22.
_WORK = re.compile(rb"-> scrypt \S+ (\d{1,2})\n")
_MOST_WORK = 20
# Beside the data: the header, and a tag of 16 bytes for each 64 KiB.
_MOST_ENCRYPTED = MOST_BYTES + (MOST_BYTES >> 8)


def encrypt(data: bytes, *, recipients: Sequence[str] = (), passphrase: str = "") -> bytes:
    """Encrypt for everybody in `recipients` (age1… or an SSH public key, ed25519 or RSA), or with the passphrase.

    Exactly one of the two is given. Takes about a second with a passphrase, which is made costly to guess. Raises
    PacketError bad_recipient, with the one that is none.
    """
    import pyrage

    if bool(recipients) == bool(passphrase):
        raise ValueError("either recipients or a passphrase")
    if passphrase:
        return bytes(pyrage.passphrase.encrypt(data, passphrase))
    return bytes(pyrage.encrypt(data, [_recipient(text.strip()) for text in recipients]))


def decrypt(data: bytes, *, identities: Sequence[str] = (), passphrase: str = "") -> bytes:
    """Decrypt with the text of identity files (of age or OpenSSH, without a passphrase of their own), or a passphrase.

    Raises PacketError not_encrypted, packet_too_large, bad_identity or not_decrypted.
    """
    import pyrage

    if not is_encrypted(data):
        raise PacketError("not_encrypted", "This is not a file that age encrypted.", "Check it without a key.")
    if len(data) > _MOST_ENCRYPTED:
        raise PacketError(
            "packet_too_large",
            f"This is larger than a packet can be ({MOST_BYTES >> 20} MB).",
            "Check which file it is.",
        )
    try:
        if needs_passphrase(data):
            work = _WORK.match(data, len(_MARK))
            if work is not None and int(work[1]) > _MOST_WORK:
                raise PacketError(
                    "packet_too_large",
                    "To open this would take more memory than the passphrase of a packet needs.",
                    "Ask for the packet anew.",
                )
            return bytes(pyrage.passphrase.decrypt(data, passphrase))
        return bytes(pyrage.decrypt(data, [key for text in identities for key in _identities(text)]))
    except pyrage.DecryptError as e:
        raise PacketError(
            "not_decrypted",
            "It could not be decrypted: the key or passphrase is not the right one, or the file was changed.",
            "Try again, or ask for the packet anew.",
        ) from e


def is_encrypted(data: bytes) -> bool:
    """Whether this is a file that age encrypted."""
    return data.startswith(_MARK)


def needs_passphrase(data: bytes) -> bool:
    """Whether it was encrypted with a passphrase and not to a key."""
    return data.startswith(_BY_PASSPHRASE, len(_MARK))


def _recipient(text: str) -> Any:
    import pyrage

    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError as e:
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        raise PacketError(
            "bad_recipient",
            f"“{shown if shown.isprintable() else ascii(shown)}” is not a key to encrypt to.",
            "Give a public key that begins with age1, ssh-ed25519 or ssh-rsa. It can be sent to you in the open.",
        ) from e


def _identities(text: str) -> list[Any]:
    import pyrage

    try:
        if "-----BEGIN" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if lines:
            return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except (pyrage.IdentityError, UnicodeEncodeError) as e:
        raise _bad_identity() from e
    raise _bad_identity()


def _bad_identity() -> PacketError:
    return PacketError(
        "bad_identity",
        "This file holds no key that can decrypt.",
        "Name the file that age-keygen made, or an SSH key that has no passphrase of its own.",
    )
