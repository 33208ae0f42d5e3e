"""The bag: whole by BagIt's own rules, the same bytes each time, and written all or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import subprocess
import sys
import zipfile
from datetime import timedelta, timezone
from pathlib import Path

import bagit
import pytest

from desktop.packets import bag, signatures
from tests.conftest import ROOT
from tests.unit.packet_bags import AT, KEY, OTHER_KEY, PAYLOAD, files_of, packed

AGAIN = """
import sys, hashlib
from tests.unit.packet_bags import packed
print(packed().sha256)
assert not [m for m in ("socket", "ssl", "PySide6", "typst", "pyrage") if m in sys.modules]
"""


def unpacked(packet: bag.Packet, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(packet.zip)) as whole:
        whole.extractall(folder)
    return folder / packet.name


class TestBag:
    @pytest.mark.expects_log  # bagit warns of what it finds
    @pytest.mark.parametrize("key", [KEY, None], ids=["signed", "unsigned"])
    def test_bagit_finds_it_valid_and_notices_each_change(self, key: object, tmp_path: Path) -> None:
        folder = unpacked(packed(key), tmp_path)  # type: ignore[arg-type]
        assert bagit.Bag(str(folder)).validate()
        changes = 0
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            whole = path.read_bytes()
            if path.name in ("tagmanifest.sig", "tagmanifest.minisig", "tagmanifest-sha256.txt"):
                continue  # what checks these is the signature
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            with pytest.raises((bagit.BagValidationError, bagit.BagError, UnicodeDecodeError)):
                bagit.Bag(str(folder)).validate()
            path.write_bytes(whole)
            changes += 1
        assert changes >= 7
        (folder / "data" / "more.txt").write_text("added")
        with pytest.raises(bagit.BagValidationError):
            bagit.Bag(str(folder)).validate()

    def test_what_is_in_it(self) -> None:
        files = files_of(packed())
        assert {p for p in files if not p.startswith("data/")} == {
            "bagit.txt",
            "bag-info.txt",
            "manifest-sha256.txt",
            "tagmanifest-sha256.txt",
            "HOW_TO_VERIFY.txt",
            "signature/tagmanifest.sig",
            "signature/public-key.pem",
            "signature/tagmanifest.minisig",
            "signature/minisign.pub",
        }
        assert {f"data/{p}": d for p, d in PAYLOAD.items()}.items() <= files.items()
        info = files["bag-info.txt"].decode().splitlines()
        size = sum(map(len, PAYLOAD.values()))
        assert f"Payload-Oxum: {size}.3" in info
        assert "Counterproof-Custody-Head: 7-ABCD-EFGH-JKLM-NPQR" in info
        assert not any(line.startswith("Counterproof-Draft") for line in info)

    def test_the_name_is_that_of_the_content(self) -> None:
        packet = packed()
        digest = hashlib.sha256(files_of(packet)["tagmanifest-sha256.txt"]).hexdigest()
        assert packet.name == f"request-{digest[:8]}"
        assert packet.sha256 == hashlib.sha256(packet.zip).hexdigest()
        assert len({packed().name, packed(OTHER_KEY).name, packed(None).name, packed(draft=True).name}) == 4
        assert packed(draft=True).name.startswith("draft-")
        assert b"Counterproof-Draft: yes" in files_of(packed(draft=True))["bag-info.txt"]

    def test_the_key_is_said_where_people_look(self) -> None:
        packet = packed()
        assert packet.signer == signatures.fingerprint(signatures.raw_public(KEY))
        digits = packet.signer.replace(" ", "")
        assert len(digits) == 64
        how = "".join(files_of(packet)["HOW_TO_VERIFY.txt"].decode().split())
        assert digits in how
        assert digits[:16].upper().encode() in files_of(packet)["signature/minisign.pub"]
        unsigned = packed(None)
        assert unsigned.signer == ""
        assert not any(p.startswith("signature/") for p in unsigned.files)
        assert "It is not signed" in files_of(unsigned)["HOW_TO_VERIFY.txt"].decode()

    def test_the_text_for_whoever_checks_fits_a_terminal(self) -> None:
        for key in (KEY, None):
            text = files_of(packed(key))["HOW_TO_VERIFY.txt"].decode("ascii")
            prose = [line for line in text.splitlines() if not line.startswith("  $ ")]
            assert max(map(len, prose)) <= 90
            assert "{" not in text

    def test_too_large_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bag, "MOST_BYTES", len(packed().zip) + 2000)
        packed()
        with pytest.raises(bag.PacketError) as error:
            bag.pack(PAYLOAD | {"more": bytes(10_000)}, created_at=AT, key=KEY)
        assert error.value.code == "packet_too_large"


class TestTheSameBytesEachTime:
    def test_in_another_process_with_another_clock_zone_and_locale(self) -> None:
        here = packed()
        for zone, locale, seed in (("Pacific/Apia", "C", "1"), ("America/St_Johns", "C.UTF-8", "2")):
            environment = {**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": seed}
            again = subprocess.run(
                [sys.executable, "-c", AGAIN], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
            )
            assert again.stdout.strip() == here.sha256

    def test_the_same_moment_said_in_another_zone(self) -> None:
        there = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
        assert bag.pack(PAYLOAD, created_at=there, key=KEY) == bag.pack(PAYLOAD, created_at=AT, key=KEY)

    def test_the_order_of_the_files_does_not_matter(self) -> None:
        turned = dict(reversed(PAYLOAD.items()))
        assert bag.pack(turned, created_at=AT, key=KEY) == bag.pack(PAYLOAD, created_at=AT, key=KEY)

    def test_another_time_is_another_packet(self) -> None:
        later = bag.pack(PAYLOAD, created_at=AT + timedelta(seconds=1), key=KEY)
        assert later.zip != bag.pack(PAYLOAD, created_at=AT, key=KEY).zip


class TestZip:
    def test_it_is_stored_sorted_and_without_times_of_its_own(self) -> None:
        with zipfile.ZipFile(io.BytesIO(packed().zip)) as whole:
            assert whole.testzip() is None
            found = whole.infolist()
            assert [i.filename for i in found] == sorted(i.filename for i in found)
            assert {i.filename.partition("/")[0] for i in found} == {packed().name}
            assert {(i.compress_type, i.date_time, i.external_attr, i.extra, i.comment) for i in found} == {
                (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), 0o100644 << 16, b"", b"")
            }
            assert {i.flag_bits for i in found} == {0x800}
            assert whole.comment == b""

    def test_an_empty_file_and_many(self) -> None:
        payload = {f"n/{n:04}.txt": b"" if n % 2 else b"x" for n in range(1000)}
        packet = bag.pack(payload, created_at=AT, key=KEY)
        assert files_of(packet).keys() >= {f"data/{p}" for p in payload}


class TestSave:
    def files(self) -> dict[str, bytes]:
        return bag.outputs(packed(), b"%PDF sheet", "the sheet: é")

    def test_what_is_written(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "folder"
        name = packed().name
        paths = bag.save(folder, self.files())
        assert [p.name for p in paths] == [
            f"{name}.zip",
            f"{name}.zip.sha256",
            f"for-you-{name}.pdf",
            f"for-you-{name}.txt",
        ]
        assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in paths)
        assert paths[0].read_bytes() == packed().zip
        assert paths[1].read_text() == f"{packed().sha256}  {name}.zip\n"
        assert paths[3].read_text("utf-8") == "the sheet: é"
        if os.name != "nt":
            assert {p.stat().st_mode & 0o777 for p in paths} == {0o600}

    def test_encrypted_no_zip_in_clear_is_written(self, tmp_path: Path) -> None:
        bag.save(tmp_path, bag.outputs(packed(), b"sheet", "sheet", encrypted=b"age-encryption.org/v1\n..."))
        assert {p.suffix for p in tmp_path.iterdir()} == {".age", ".sha256", ".pdf", ".txt"}
        assert not [p for p in tmp_path.iterdir() if p.read_bytes() == packed().zip]

    def test_what_is_there_stays(self, tmp_path: Path) -> None:
        (tmp_path / f"for-you-{packed().name}.txt").write_text("hers")
        with pytest.raises(bag.PacketError) as error:
            bag.save(tmp_path, self.files())
        assert error.value.code == "output_exists"
        assert [p.read_text() for p in tmp_path.iterdir()] == ["hers"]

    def test_the_same_again_is_no_error(self, tmp_path: Path) -> None:
        paths = bag.save(tmp_path, self.files())
        before = [p.stat().st_mtime_ns for p in paths]
        assert bag.save(tmp_path, self.files()) == paths
        assert [p.stat().st_mtime_ns for p in paths] == before

    def test_a_link_that_leads_nowhere_is_not_followed(self, tmp_path: Path) -> None:
        aim = tmp_path / "aim"
        folder = tmp_path / "out"
        folder.mkdir()
        (folder / f"{packed().name}.zip").symlink_to(aim)
        with pytest.raises(bag.PacketError):
            bag.save(folder, self.files())
        assert not aim.exists()

    def test_what_a_killed_build_left_stops_no_later_one(self, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        kept.write_text("hers")
        out = tmp_path / "out"
        out.mkdir()
        (out / f"{packed().name}.zip.new").write_bytes(b"half of it")
        (out / f"for-you-{packed().name}.txt.new").symlink_to(kept)
        paths = bag.save(out, self.files())
        assert sorted(out.iterdir()) == sorted(paths)
        assert paths[0].read_bytes() == packed().zip
        assert kept.read_text() == "hers"

    @pytest.mark.skipif(os.name == "nt", reason="folders cannot be opened there")
    def test_the_names_are_on_the_disk_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real, kinds = os.fsync, []

        def watched(descriptor: int) -> None:
            kinds.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", watched)
        bag.save(tmp_path, self.files())
        assert kinds == [False] * 4 + [True]

    def test_without_the_sheet(self) -> None:
        name = packed().name
        assert list(bag.outputs(packed())) == [f"{name}.zip", f"{name}.zip.sha256"]

    @pytest.mark.parametrize("call", ["rename", "fsync"])
    def test_all_or_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        real, calls = getattr(os, call), []

        def full(*args: object) -> object:
            calls.append(args)
            if len(calls) == 3:
                raise OSError(28, "No space left on device")
            return real(*args)

        monkeypatch.setattr(os, call, full)
        with pytest.raises(bag.PacketError, match="No space left"):
            bag.save(tmp_path, self.files())
        assert len(calls) == 3
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(bag.PacketError) as error:
            bag.save(tmp_path / "file", self.files())
        assert error.value.code == "output_not_writable"
