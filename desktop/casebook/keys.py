"""From a passphrase to the key of a casebook: Argon2id, the file's header, and the recovery code.

The key K is 32 bytes: Argon2id (RFC 9106) of the passphrase in Unicode form NFKC. SQLCipher gets K and the header as
raw key and salt, so that the header is the first 16 bytes of the file, in clear:

    version 1 B | cost 1 B | random 8 B | key check 4 B | CRC-16 2 B

The salt of Argon2id is the first ten. `cost` holds log2(KiB of memory) - 10 in its upper four bits and passes - 1 in
its lower four; lanes are always 4, as RFC 9106 recommends. The key check is the start of an HMAC-SHA-256 of those ten
bytes under K, and tells a wrong passphrase from a damaged file; the CRC tells a damaged header from both.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import time
import unicodedata
from dataclasses import dataclass, field

from desktop.casebook.records import CasebookError

HEADER_BYTES = 16
KEY_BYTES = 32
MINIMUM_PASSPHRASE = 8
_VERSION = 1
_SALT_BYTES = 10
_CHECK_BYTES = 4
_LANES = 4
_LEAST_LOG2_KIB = 10
# 1 GiB. We choose an eighth of it; a header that was made to fill somebody's memory could ask for 32.
_MOST_LOG2_KIB = 20
# Crockford's base32: no I, L, O or U, which are misread; the first three are accepted for 1, 1 and 0.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("ILO", "110", " -\t\r\n")
_SUM_BYTES = 3
_GROUP = 4
# Long enough to slow a guesser, short enough for a person who opens it many times a day.
_WANTED_SECONDS = 0.75
_MOST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What deriving a key costs: 2**`log2_kib` KiB of memory (10..25) and `passes` over it (1..16)."""

    log2_kib: int
    passes: int

    def to_byte(self) -> int:
        """The byte of the header."""
        return (self.log2_kib - _LEAST_LOG2_KIB) << 4 | (self.passes - 1)

    @classmethod
    def from_byte(cls, value: int) -> Cost:
        """The inverse of `to_byte`."""
        return cls((value >> 4) + _LEAST_LOG2_KIB, (value & 15) + 1)


# RFC 9106, section 4, second recommended option: 64 MiB, 3 passes, 4 lanes. Never chosen below it.
FLOOR = Cost(16, 3)
_AMPLE = Cost(17, 3)


@dataclass(frozen=True, slots=True)
class Key:
    """A casebook's key and header. The key is in no repr."""

    secret: bytes = field(repr=False)
    header: bytes

    def to_sqlcipher(self) -> str:
        """The value of SQLCipher's `PRAGMA key` for a raw key with its salt."""
        return f"x'{self.secret.hex()}{self.header.hex()}'"

    @property
    def cost(self) -> Cost:
        """What deriving it from the passphrase costs."""
        return Cost.from_byte(self.header[1])


def new_key(passphrase: str, cost: Cost) -> Key:
    """A new key with a new header for a passphrase. Raises weak_passphrase, memory_short."""
    check_passphrase(passphrase)
    salt = bytes((_VERSION, cost.to_byte())) + os.urandom(_SALT_BYTES - 2)
    secret = _derive(passphrase, salt)
    start = salt + _check(secret, salt)
    return Key(secret, start + _crc(start))


def check_passphrase(passphrase: str) -> None:
    """Raises weak_passphrase when a new passphrase is too short."""
    if len(passphrase.strip()) < MINIMUM_PASSPHRASE:
        raise CasebookError(
            "weak_passphrase",
            f"The passphrase is shorter than {MINIMUM_PASSPHRASE} characters.",
            "Choose a longer one: four or five unrelated words are easy to keep and hard to guess.",
        )


def key_from_passphrase(passphrase: str, header: bytes) -> Key:
    """The key of the casebook whose header `check_header` has passed. Raises wrong_passphrase, memory_short."""
    salt = header[:_SALT_BYTES]
    secret = _derive(passphrase, salt)
    if not _fits(secret, header):
        raise CasebookError(
            "wrong_passphrase",
            "This is not the passphrase of this casebook. The casebook itself is sound as far as can be told.",
            "Try again; mind capital letters and the keyboard's language. The recovery code opens it too.",
        )
    return Key(secret, header)


def key_from_code(code: str, header: bytes) -> Key:
    """The key in a recovery code, for the casebook with this header. Raises wrong_recovery_code."""
    secret = _secret_in(code)
    if secret is None:
        raise CasebookError(
            "wrong_recovery_code",
            "The recovery code was mistyped: its check letters do not fit.",
            "Compare it with the paper, group by group.",
        )
    if not _fits(secret, header):
        raise CasebookError(
            "wrong_recovery_code",
            "This recovery code is of another casebook, or of a passphrase that has since been changed.",
            "Look for the code that was shown when the passphrase was last set.",
        )
    return Key(secret, header)


def recovery_code(key: Key) -> str:
    """The key in 14 groups of four letters and digits that cannot be misread, with check letters at the end."""
    return base32(key.secret + _sum(key.secret))


def base32(data: bytes) -> str:
    """Bytes (a multiple of five) in Crockford's base32, in groups of four with hyphens between."""
    bits = int.from_bytes(data, "big")
    letters = "".join(_LETTERS[bits >> 5 * i & 31] for i in reversed(range(len(data) * 8 // 5)))
    return "-".join(letters[i : i + _GROUP] for i in range(0, len(letters), _GROUP))


def check_header(header: bytes) -> None:
    """Raises not_a_casebook, casebook_damaged or casebook_newer when these are not the first bytes of a casebook."""
    version, sealed = header[:1], header[:-2]
    if len(header) == HEADER_BYTES and _crc(sealed) == header[-2:]:
        if version[0] == _VERSION:
            if Cost.from_byte(header[1]).log2_kib > _MOST_LOG2_KIB:
                raise damaged("opening it would take more memory than any casebook does")
            return
        raise CasebookError(
            "casebook_newer",
            "This casebook was made by a newer version of Counterproof.",
            "Open it with that version, or update this one.",
        )
    # One wrong byte leaves either the version right, or the check sum right once the version is put right.
    ours = bytes((_VERSION,))
    if len(header) == HEADER_BYTES and (version == ours or _crc(ours + sealed[1:]) == header[-2:]):
        raise damaged("its first bytes do not fit their check sum")
    raise CasebookError(
        "not_a_casebook",
        "This file is not a casebook.",
        "Choose the file that you made with `counterproof case new` or in the window.",
    )


def damaged(what: str) -> CasebookError:
    """The error for a file that is a casebook and is not whole; `what` finishes the sentence."""
    return CasebookError(
        "casebook_damaged",
        f"The casebook is damaged: {what}.",
        "Leave this file as it is, and open your newest backup. Your passphrase is not the cause.",
    )


def choose_cost() -> Cost:
    """The cost at which deriving takes 0.5 to 1 second here, by measuring: 128 MiB where there is room, else 64 MiB.

    Never below the floor of RFC 9106, even where that takes longer.
    """
    start = _AMPLE if (seconds := _measured(_AMPLE)) <= _MOST_SECONDS else FLOOR
    if start is FLOOR:
        seconds = _measured(FLOOR)
    passes = int(start.passes * _WANTED_SECONDS / seconds)
    return Cost(start.log2_kib, min(max(passes, FLOOR.passes), 16))


def _measured(cost: Cost) -> float:
    """Seconds to derive a key at this cost, the quicker of two; infinite where the memory is not there."""
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        try:
            _derive("how long does it take", bytes((_VERSION, cost.to_byte())) + bytes(_SALT_BYTES - 2))
        except CasebookError:
            return float("inf")
        best = min(best, time.perf_counter() - start)
    return best


def _derive(passphrase: str, salt: bytes) -> bytes:
    from argon2.exceptions import HashingError
    from argon2.low_level import Type, hash_secret_raw

    cost = Cost.from_byte(salt[1])
    text = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    try:
        return hash_secret_raw(text, salt, cost.passes, 1 << cost.log2_kib, _LANES, KEY_BYTES, Type.ID)
    except (HashingError, MemoryError):
        pass
    raise CasebookError(
        "memory_short",
        f"There is not enough free memory to open the casebook: it takes {(1 << cost.log2_kib) // 1024} MiB.",
        "Close other programs and try again.",
    )


def _check(secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(secret, b"counterproof casebook key check" + salt, "sha256")[:_CHECK_BYTES]


def _fits(secret: bytes, header: bytes) -> bool:
    return hmac.compare_digest(_check(secret, header[:_SALT_BYTES]), header[_SALT_BYTES : _SALT_BYTES + _CHECK_BYTES])


def _crc(data: bytes) -> bytes:
    return binascii.crc_hqx(data, 0xFFFF).to_bytes(2, "big")


def _sum(secret: bytes) -> bytes:
    return hashlib.sha256(b"counterproof casebook recovery code" + secret).digest()[:_SUM_BYTES]


def _secret_in(code: str) -> bytes | None:
    letters = code.upper().translate(_MISREAD)
    if len(letters) != (KEY_BYTES + _SUM_BYTES) * 8 // 5 or set(letters) - set(_LETTERS):
        return None
    bits = 0
    for letter in letters:
        bits = bits << 5 | _LETTERS.index(letter)
    data = bits.to_bytes(KEY_BYTES + _SUM_BYTES, "big")
    return data[:KEY_BYTES] if hmac.compare_digest(_sum(data[:KEY_BYTES]), data[KEY_BYTES:]) else None
