"""Hash lists: every form that is described is read, every fault is counted with its line, nothing crashes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.errors import CounterproofError
from detectors.fingerprints import hash_lists
from detectors.fingerprints.hash_lists import (
    COLUMNS,
    KEPT_REJECTS,
    MAX_LINE,
    Entry,
    HashList,
    read,
    write_csv,
    write_plain,
)

PDQ, OTHER, SHA, MD5 = "ab" * 32, "0f" * 32, "cd" * 32, "ef" * 16


def read_text(folder: Path, text: str | bytes) -> HashList:
    path = folder / "list"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(str(path))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{PDQ}\n{OTHER}\n", [("pdq", PDQ), ("pdq", OTHER)]),
        (f"\ufeff# a comment\r\n\r\n{PDQ.upper()}\r\n", [("pdq", PDQ)]),
        (f"pdq {PDQ}\nmd5 {MD5}\nsha256 {SHA}\n", [("pdq", PDQ), ("md5", MD5), ("sha256", SHA)]),
        (f"{PDQ},folder/a.jpg\n{OTHER},b.jpg", [("pdq", PDQ), ("pdq", OTHER)]),
        (f"FilePath,Hash\na.jpg,{PDQ}\n", [("pdq", PDQ)]),
        (f'Hash,FilePath\n{PDQ},"a, with comma.jpg"\n', [("pdq", PDQ)]),
        (f"{','.join(COLUMNS)}\n{SHA},{PDQ},88,{MD5},JPEG,640,480,2026-01-01T00:00:00Z,x\n", [("pdq", PDQ)]),
        (
            json.dumps({"hashRecords": [{"signalType": "ImagePDQ", "hashValue": PDQ, "hashStatus": "Active"}]}),
            [("pdq", PDQ)],
        ),
        (json.dumps({"hashRecords": [{"signalType": "ImagePDQ", "hashValue": PDQ}]}, indent=1), [("pdq", PDQ)]),
        (json.dumps({"signalType": "ImagePDQ", "hashValue": PDQ, "hashStatus": "Active"}) + "\n", [("pdq", PDQ)]),
        (json.dumps([PDQ, OTHER]), [("pdq", PDQ), ("pdq", OTHER)]),
        (
            json.dumps({"schema": "counterproof.scan/1", "path": "a", "hashes": {"pdq": PDQ, "sha256": SHA}}),
            [("pdq", PDQ)],
        ),
    ],
)
def test_forms(tmp_path: Path, text: str, wanted: list[tuple[str, str]]) -> None:
    found = read_text(tmp_path, text)
    assert [(kind, getattr(e, kind)) for e, (kind, _) in zip(found.entries, wanted, strict=True)] == wanted
    assert (found.n_rejected, found.rejected) == (0, ())


def test_all_columns_come_back_from_our_own_csv(tmp_path: Path) -> None:
    entry = Entry(PDQ, SHA, MD5, "", 77, "JPEG", 640, 480, "2026-01-01T00:00:00+00:00", 2)
    out = io.StringIO()
    write_csv([entry, Entry(sha256=SHA)], out)
    assert out.getvalue().splitlines()[0] == ",".join(COLUMNS)
    assert next(csv.DictReader(io.StringIO(out.getvalue())))["tool"].startswith("counterproof ")
    found = read_text(tmp_path, out.getvalue())
    assert found.entries == (entry, Entry(sha256=SHA, line=3))
    plain = io.StringIO()
    assert write_plain(found.entries, plain) == 1
    assert plain.getvalue() == PDQ + "\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"pdq {MD5}", "32 digits instead of 64"),
        (PDQ[:-1], "63 digits"),
        (PDQ + "0", "65 digits"),
        (PDQ[:-1] + "g", "hex digits"),
        (f"0x{PDQ[2:]}", "hex digits"),
        (f"tlsh {PDQ}", "not a hash"),
        (f"pdq {PDQ} more", "not a hash"),
        ("0" * 64, "blank"),
        ("x" * (MAX_LINE + 5), "too long"),
        ("\u0661" * 64, "hex digits"),
    ],
)
def test_rejects_are_counted_with_line_and_reason(tmp_path: Path, line: str, says: str) -> None:
    found = read_text(tmp_path, f"{PDQ}\n{line}\n{OTHER}\n")
    assert [e.pdq for e in found.entries] == [PDQ, OTHER]
    assert [e.line for e in found.entries] == [1, 3]
    assert found.n_rejected == 1
    assert found.rejected[0].line == 2
    assert says in found.rejected[0].reason


def test_a_pdq_of_32_digits_as_in_a_live_feed_is_rejected(tmp_path: Path) -> None:
    records = [
        {"signalType": "ImagePDQ", "hashValue": "a" * 32, "hashStatus": "Active"},
        {"signalType": "ImagePDQ", "hashValue": PDQ, "hashStatus": "Active"},
        {"signalType": "ImagePDQ", "hashValue": OTHER, "hashStatus": "Withdrawn"},
        {"signalType": "ImagePDQ", "hashValue": OTHER, "hashStatus": "Deleted"},
        {"signalType": "VideoTMK", "hashValue": OTHER, "hashStatus": "Active"},
        {"signalType": "ImagePDQ", "hashValue": 7},
        {"signalType": ["ImagePDQ"], "hashValue": PDQ},
        "x",
        None,
    ]
    found = read_text(tmp_path, json.dumps({"count": 9, "hashRecords": records}))
    assert [e.pdq for e in found.entries] == [PDQ]
    assert found.n_withdrawn == 2
    assert [r.line for r in found.rejected] == [1, 5, 6, 7, 8, 9]
    assert "32 digits instead of 64" in found.rejected[0].reason


def test_many_rejects_are_counted_and_not_all_kept(tmp_path: Path) -> None:
    found = read_text(tmp_path, PDQ + "\n" + "no hash\n" * (KEPT_REJECTS + 500))
    assert found.n_rejected == KEPT_REJECTS + 500
    assert len(found.rejected) == KEPT_REJECTS


@pytest.mark.parametrize(
    "text", [b"", b"\n\n", b"hello\n", b"\x00\xff" * 500, b"{", b"[[[[", b"{}", b"[" * 100_000, b"[1]"]
)
def test_what_is_no_list_is_said_to_be_none(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(CounterproofError) as e:
        read_text(tmp_path, text)
    assert e.value.code == "not_a_hash_list"


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CounterproofError) as e:
            read(str(path))
        assert e.value.code == "list_unreadable"


def test_limits_on_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_lists, "MAX_ENTRIES", 3)
    with pytest.raises(CounterproofError, match="list_too_long"):
        read_text(tmp_path, f"{PDQ}\n" * 5)
    monkeypatch.setattr(hash_lists, "MAX_JSON", 10)
    with pytest.raises(CounterproofError, match="list_too_large"):
        read_text(tmp_path, json.dumps([PDQ]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    PDQ,
                    f"pdq {PDQ}",
                    "FilePath,Hash",
                    ",".join(COLUMNS),
                    '{"hashes": {"pdq": 3}}',
                    '{"hashRecords": [',
                    '"',
                    ",",
                    "{",
                ]
            ),
            st.text(max_size=60),
        ),
        max_size=8,
    ),
    st.binary(max_size=8),
)
def test_nothing_crashes_and_what_is_kept_is_sound(tmp_path: Path, lines: list[str], more: bytes) -> None:
    try:
        found = read_text(tmp_path, "\n".join(lines).encode("utf-8", "surrogatepass") + more)
    except CounterproofError:
        return
    for entry in found.entries:
        assert entry.pdq or entry.sha256 or entry.md5
        assert entry.pdq == "" or len(bytes.fromhex(entry.pdq)) == 32
