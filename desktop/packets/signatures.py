"""Ed25519 signatures that public tools check: a raw one with a PEM key for OpenSSL, and one in minisign's format.

Formats: RFC 8032 (Ed25519), RFC 8410 (the key in PEM), https://jedisct1.github.io/minisign/ (pre-hashed signatures).
Ed25519 needs no randomness, so the same key and text give the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

RAW_BYTES = 64
_KEY, _PREHASHED = b"Ed", b"ED"
_FREE = "untrusted comment: "  # minisign does not sign this line: what stands in it is fixed, and compared as text
_SIGNED = "trusted comment: "


def raw_public(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """The public key, 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return (key.public_key() if isinstance(key, Ed25519PrivateKey) else key).public_bytes_raw()


def fingerprint(public: bytes) -> str:
    """How people compare a key: the SHA-256 of its 32 bytes, as sixteen groups of four hex digits."""
    digits = hashlib.sha256(public).hexdigest()
    return " ".join(digits[at : at + 4] for at in range(0, 64, 4))


def pem(public: bytes) -> bytes:
    """The public key as OpenSSL reads it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def from_pem(data: bytes) -> bytes | None:
    """The 32 bytes of the public key in a PEM file that `pem` wrote, or None for any other."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    public = key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else None
    return public if public is not None and pem(public) == data else None


def genuine(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the key signed exactly this text."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def minisign_key(public: bytes) -> bytes:
    """The public key as minisign reads it."""
    return _two_lines(f"minisign public key {_shown_id(public)}", _KEY + _key_id(public) + public)


def minisign(key: Ed25519PrivateKey, text: bytes, comment: str) -> bytes:
    """A pre-hashed minisign signature over `text`; it also holds for `comment`, one line of ASCII."""
    signature = key.sign(_prehash(text))
    return _minisig(raw_public(key), signature, comment, key.sign(signature + comment.encode("ascii")))


def minisign_genuine(public: bytes, data: bytes, text: bytes, comment: str) -> bool:
    """Whether `data` is, byte for byte, the file that `minisign` wrote with this key for this text and comment."""
    lines = data.split(b"\n")
    if len(lines) != 5:
        return False
    try:
        signature = base64.b64decode(lines[1], validate=True)[10:]
        over_comment = base64.b64decode(lines[3], validate=True)
    except binascii.Error:
        return False
    return (
        _minisig(public, signature, comment, over_comment) == data
        and genuine(public, signature, _prehash(text))
        and genuine(public, over_comment, signature + comment.encode("ascii"))
    )


def _minisig(public: bytes, signature: bytes, comment: str, over_comment: bytes) -> bytes:
    first = _two_lines(f"signature from key {_shown_id(public)}", _PREHASHED + _key_id(public) + signature)
    return first + f"{_SIGNED}{comment}\n".encode("ascii") + base64.b64encode(over_comment) + b"\n"


def _two_lines(comment: str, data: bytes) -> bytes:
    return f"{_FREE}{comment}\n".encode("ascii") + base64.b64encode(data) + b"\n"


def _prehash(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=64).digest()


def _key_id(public: bytes) -> bytes:
    """Eight bytes by which minisign tells keys apart. It shows them from the last to the first: so turned round, they
    are the first sixteen digits of the fingerprint."""
    return hashlib.sha256(public).digest()[7::-1]


def _shown_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16].upper()
