"""Our own check of a packet: one changed byte anywhere is noticed, and no hostile file does harm."""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.packets import bag, signatures, verify
from tests.unit.packet_bags import AT, KEY, OTHER_KEY, PAYLOAD, files_of, packed, zipped


def flipped(data: bytes, step: int) -> tuple[int, list[int]]:
    """How many bytes were changed, one at a time, and the places of those that went unnoticed.

    Each byte of what is no payload is changed, and of the payload every `step`th.
    """
    inside = [data.index(content) for content in PAYLOAD.values()]
    payload = {
        at for start, content in zip(inside, PAYLOAD.values(), strict=True) for at in range(start, start + len(content))
    }
    tried, missed = 0, []
    changed = bytearray(data)
    for at in range(len(data)):
        if at in payload and at % step:
            continue
        changed[at] ^= 1 << at % 8
        tried += 1
        if verify.verify(bytes(changed)).ok:
            missed.append(at)
        changed[at] ^= 1 << at % 8
    return tried, missed


class TestSound:
    def test_signed(self) -> None:
        found = verify.verify(packed().zip)
        assert found.ok
        assert found.problems == ()
        assert (found.signer, found.name) == (packed().signer, packed().name)
        assert (found.created_at, found.draft) == ("2026-11-28T12:00:00+00:00", False)
        assert found.names == packed().files

    def test_unsigned_is_whole_but_has_no_signer(self) -> None:
        found = verify.verify(packed(None).zip)
        assert (found.ok, found.signer) == (True, "")

    def test_a_draft_is_told(self) -> None:
        assert verify.verify(packed(draft=True).zip).draft

    def test_another_key_shows(self) -> None:
        assert verify.verify(packed(OTHER_KEY).zip).signer != verify.verify(packed().zip).signer


class TestChanged:
    @pytest.mark.parametrize("key", [KEY, None], ids=["signed", "unsigned"])
    def test_one_changed_byte_anywhere(self, key: object) -> None:
        tried, missed = flipped(packed(key).zip, 7)  # type: ignore[arg-type]
        assert tried > 3000
        assert missed == []

    @pytest.mark.parametrize("blind", ["_same", "_list", "_signer"])
    def test_each_part_of_the_check_is_needed(self, blind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = {"_same": True, "_list": [], "_signer": ([], "")}
        monkeypatch.setattr(verify, blind, lambda *_: answers[blind])
        data = packed().zip
        files = files_of(packed())
        if blind == "_list":  # a payload that was exchanged in a zip that is otherwise sound
            files["data/request.json"] = files["data/request.json"].replace(b"1", b"2")
            assert verify.verify(zipped(packed().name, files)).ok
        elif blind == "_signer":
            files["signature/tagmanifest.sig"] = bytes(64)
            assert verify.verify(zipped(packed().name, files)).ok
        else:  # the date of the first file in the zip
            assert verify.verify(data[:12] + b"\x22" + data[13:]).ok

    def test_cut_short_at_any_place_or_with_something_added(self) -> None:
        data = packed().zip
        for at in range(0, len(data), 97):
            assert not verify.verify(data[:at]).ok
        for wrong in (b"x" + data, data + b"x", data + data, data[:-1]):
            assert not verify.verify(wrong).ok

    @pytest.mark.parametrize(
        ("path", "content", "says"),
        [
            ("data/request.json", b"{}", "data/request.json was changed"),
            ("data/more.txt", b"x", "data/more.txt was added"),
            ("more.txt", b"x", "more.txt was added"),
            ("signature/more.txt", b"x", "signature/more.txt was added"),
            ("HOW_TO_VERIFY.txt", b"x", "HOW_TO_VERIFY.txt was changed"),
            ("data/custody.csv", None, "data/custody.csv is missing"),
            ("manifest-sha256.txt", None, "manifest-sha256.txt is missing"),
            ("manifest-sha256.txt", b"\xff" * 10, "manifest-sha256.txt is damaged"),
            ("bag-info.txt", b"", "does not say when"),
            ("bag-info.txt", b"Counterproof-Created: 0001-01-01T00:00:00+23:59\n", "does not say when"),
            ("signature/tagmanifest.sig", bytes(64), "signature does not hold"),
            ("signature/tagmanifest.sig", None, "Only a part of the signature"),
            ("signature/tagmanifest.minisig", b"x\n" * 4, "for minisign does not hold"),
            ("signature/public-key.pem", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no key"),
            ("signature/public-key.pem", signatures.pem(signatures.raw_public(OTHER_KEY)), "not one and the same"),
        ],
    )
    def test_what_is_wrong_is_said(self, path: str, content: bytes | None, says: str) -> None:
        files = files_of(packed())
        files.pop(path, None)
        if content is not None:
            files[path] = content
        found = verify.verify(zipped(packed().name, files))
        assert not found.ok
        assert says in " ".join(found.problems)

    def test_signed_anew_over_a_changed_file_the_signer_is_another(self) -> None:
        """What no check can catch alone: it is whole, but by another key. The fingerprint tells."""
        forged = bag.pack(PAYLOAD | {"request.json": b"{}"}, created_at=AT, key=OTHER_KEY)
        found = verify.verify(forged.zip)
        assert found.ok
        assert found.signer == signatures.fingerprint(signatures.raw_public(OTHER_KEY)) != packed().signer

    def test_the_signature_taken_away(self) -> None:
        files = {p: d for p, d in files_of(packed()).items() if not p.startswith("signature/")}
        assert not verify.verify(zipped(packed().name, files)).ok

    def test_another_name(self) -> None:
        found = verify.verify(zipped("request-00000000", files_of(packed())))
        assert "name of the folder" in " ".join(found.problems)

    def test_packed_again_by_another_program(self) -> None:
        for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            found = verify.verify(made(lambda z: None, compression))
            assert not found.ok
            assert "HOW_TO_VERIFY.txt" in " ".join(found.problems)


def made(change: Callable[[zipfile.ZipFile], None], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A packet's files as `zipfile` packs them, and whatever `change` adds."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the same name twice
        with zipfile.ZipFile(out, "w", compression) as whole:
            for path, data in files_of(packed()).items():
                whole.writestr(f"{packed().name}/{path}", data)
            change(whole)
    return out.getvalue()


def link(whole: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo(f"{packed().name}/data/link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    whole.writestr(info, "/etc/passwd")


def many(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        for n in range(count):
            whole.writestr(f"a/{n}", b"")
    return out.getvalue()


def encrypted() -> bytes:
    data = bytearray(packed().zip)
    at = data.index(b"PK\x01\x02")
    while data[at : at + 4] == b"PK\x01\x02":
        data[at + 8] |= 1
        name, extra, note = struct.unpack("<HHH", data[at + 28 : at + 34])
        at += 46 + name + extra + note
    return bytes(data)


def lying(offset: int, value: int) -> bytes:
    """A sound packet, with a number in the first entry of its list replaced."""
    data = bytearray(packed().zip)
    at = data.index(b"PK\x01\x02") + offset
    data[at : at + 4] = struct.pack("<I", value)
    return bytes(data)


def both_lengths(value: int) -> bytes:
    data = bytearray(lying(20, value))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", value)
    return bytes(data)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"P",
    "no zip": lambda: b"%PDF-1.7" * 100,
    "only an end": lambda: b"PK\x05\x06" + bytes(18),
    "starts as one": lambda: b"PK\x03\x04" + bytes(1000),
    "a bomb": lambda: made(lambda z: z.writestr("x/bomb", bytes(1 << 28)), zipfile.ZIP_DEFLATED),
    "100,000 files": lambda: many(100_000),
    "5,000 files": lambda: many(5_000),
    "up and out": lambda: made(lambda z: z.writestr("../../x", b"")),
    "up inside": lambda: made(lambda z: z.writestr(f"{packed().name}/data/../x", b"")),
    "absolute": lambda: made(lambda z: z.writestr("/etc/cron.d/x", b"")),
    "a drive": lambda: made(lambda z: z.writestr("C:/x", b"")),
    "backslashes": lambda: made(lambda z: z.writestr("a\\..\\x", b"")),
    "a folder": lambda: made(lambda z: z.writestr(f"{packed().name}/data/", b"")),
    "the same twice": lambda: made(lambda z: z.writestr(f"{packed().name}/bagit.txt", b"")),
    "the same but for case": lambda: made(lambda z: z.writestr(f"{packed().name}/BAGIT.txt", b"")),
    "a link": lambda: made(link),
    "a long name": lambda: made(lambda z: z.writestr("a/" + "b" * 60_000, b"")),
    "other letters": lambda: made(lambda z: z.writestr("a/\u202egnp.exe", b"")),
    "not UTF-8": lambda: packed().zip.replace(b"bagit.txt", b"\xff\xfegit.txt"),
    "a NUL in a name": lambda: packed().zip.replace(b"bagit.txt", b"bagit\0txt"),
    "encrypted": encrypted,
    "in front": lambda: b"#!/bin/sh\n" + packed().zip,
    "behind": lambda: packed().zip + b"more",
    "a longer file": lambda: both_lengths(1 << 30),
    "zip64 lengths": lambda: both_lengths(0xFFFFFFFF),
    "an offset beyond": lambda: lying(42, 0xFFFFFFF0),
    "twice itself": lambda: packed().zip * 2,
    "too large": lambda: packed().zip + bytes(bag.MOST_BYTES),
    "a comment": lambda: packed().zip[:-2] + b"\x05\x00hello",
    "two folders": lambda: b"".join(bag.pieces({"a/x": b"", "b/y": b""})),
    "another bag": lambda: b"".join(bag.pieces({"a/bagit.txt": bag.DECLARATION, "a/data/x": b""})),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_gets_a_sentence(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = HOSTILE[kind]()
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    try:
        found = verify.verify(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not found.ok
    assert found.signer == ""
    assert 1 <= len(found.problems) <= 21
    for sentence in found.problems:
        assert sentence.endswith(".")
        assert sentence.isprintable()
        assert len(sentence) < 300
    assert most < 8 << 20
    assert list(tmp_path.iterdir()) == []


def test_thousands_of_names_for_the_same_bytes_do_not_keep_it_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip of 8 KB that says that it has 3,000 files of 4 KB: they would be hashed one after the other."""
    content, name = bytes(4096), b"request-00000000/data/"
    entries = b""
    for number in range(3000):
        path = name + b"%04d" % number
        fields = struct.pack("<HHHHHIIIHH", 20, 0x0800, 0, 0, 0x21, 0, len(content), len(content), len(path), 0)
        fields += struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, 200 - 30 - len(path))
        entries += b"PK\x01\x02" + struct.pack("<H", 3 << 8 | 20) + fields + path
    start = b"PK\x03\x04" + bytes(196) + content
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 3000, 3000, len(entries), len(start), 0)
    monkeypatch.setattr(verify, "_lists", None)  # where each file is hashed
    found = verify.verify(start + entries + end)
    assert found.problems == ("The zip file says that its files are longer than it is. Nothing was unpacked.",)


def test_a_large_packet_needs_little_beside_itself() -> None:
    packet = bag.pack({"images/item-1.jpg": bytes(60 << 20)}, created_at=AT, key=KEY)
    tracemalloc.start()
    try:
        found = verify.verify(packet.zip)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.ok
    assert most < 8 << 20
    assert hashlib.sha256(packet.zip).hexdigest() == packet.sha256


EDITS = st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 40), st.binary(max_size=40)), min_size=1, max_size=6)


@given(EDITS)
@settings(max_examples=300, deadline=None)
def test_whatever_was_done_to_it_there_is_an_answer(edits: list[tuple[int, int, bytes]]) -> None:
    whole = packed().zip
    data = whole
    for at, cut, put in edits:
        data = data[:at] + put + data[at + cut :]
    found = verify.verify(data)
    assert found.ok == (data == whole)
    assert all(sentence.isprintable() for sentence in found.problems)
