"""`counterproof group` and `counterproof match`, as a person or a script runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from desktop.cli import DONE, SOME_NOT, USAGE, main
from detectors.fingerprints import hash_lists


@pytest.fixture
def folder(tmp_path: Path, demo: Path) -> Path:
    """A photograph, two edited copies, a stranger, a blank picture."""
    folder = tmp_path / "in"
    folder.mkdir()
    with Image.open(demo / "01-plain-photo-cat.jpg") as image:
        cat = image.convert("RGB")
    cat.save(folder / "a.jpg", quality=90)
    cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b-mirrored.jpg", quality=80)
    cat.crop((40, 20, 430, 280)).save(folder / "c-cropped.jpg", quality=80)
    (folder / "d-rocket.jpg").write_bytes((demo / "02-plain-photo-rocket.jpg").read_bytes())
    Image.new("RGB", (200, 200), "white").save(folder / "e-blank.png")
    return folder


def test_group_says_what_is_a_copy_of_what_and_why_a_file_has_no_pdq(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["group", str(folder)]) == DONE
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "Group 1: 3 pictures"
    assert any("mirrored, the whole picture" in line and line.endswith("b-mirrored.jpg") for line in lines)
    assert any("a part of it" in line and line.endswith("c-cropped.jpg") for line in lines)
    assert "1 group with 3 pictures, of 5 files." in lines
    assert "This picture is blank or nearly so" in out
    assert not any(line.endswith("d-rocket.jpg") for line in lines)
    assert err == ""


def test_group_as_json(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f-broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert main(["group", str(folder), "--json", "-", "--jobs", "1"]) == SOME_NOT
    record = json.loads(capsys.readouterr().out)
    assert (record["schema"], record["files"], record["distance"]) == ("counterproof.groups/1", 6, 31)
    (group,) = record["groups"]
    first, *rest = group["members"]
    assert {m["path"] for m in rest} | {first["path"]} == {
        str(folder / n) for n in ("a.jpg", "b-mirrored.jpg", "c-cropped.jpg")
    }
    assert all(m["distance"] <= 31 and len(m["view"]["pdq"]) == 64 for m in rest)
    assert [w["path"] for w in record["without_pdq"]] == [str(folder / "e-blank.png")]
    assert [(n["path"], n["status"]) for n in record["not_compared"]] == [(str(folder / "f-broken.jpg"), "unreadable")]
    out = tmp_path / "groups.json"
    assert main(["group", str(folder), "--json", str(out)]) == SOME_NOT
    assert json.loads(out.read_text())["groups"] == record["groups"]
    assert out.stat().st_mode & 0o077 == 0


def test_a_list_is_written_and_read_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("hashes.csv", "hashes.txt"):
        assert main(["group", str(folder), "--hashes", str(tmp_path / name), "--quiet"]) == DONE
    err = capsys.readouterr().err
    assert "1 file has no reliable PDQ and cannot be on such a list." in err
    for name, count in (("hashes.csv", 5), ("hashes.txt", 4)):
        path = tmp_path / name
        assert path.stat().st_mode & 0o077 == 0
        assert len(hash_lists.read(str(path)).entries) == count
        assert str(folder) not in path.read_text()
        assert main(["match", str(folder), "--against", str(path), "--json", "-"]) == DONE
        found = json.loads(capsys.readouterr().out)["matches"]
        assert len({m["path"] for m in found}) == count
    letter = tmp_path / "letter.txt"
    letter.write_text("a letter")
    for kept in (folder / "a.jpg", letter):
        before = kept.read_bytes()
        assert main(["group", str(folder), "--hashes", str(kept)]) == USAGE
        assert kept.read_bytes() == before
    assert main(["group", str(folder), "--hashes", str(tmp_path / "hashes.txt")]) == DONE


def test_match_against_a_list(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["group", str(folder / "a.jpg"), str(folder / "a.jpg"), "--json", "-"]) == DONE
    pdq = json.loads(capsys.readouterr().out)["groups"][0]["members"][1]["view"]["pdq"]
    hashes = tmp_path / "hashes.txt"
    hashes.write_text(f"{'12' * 32}\npdq {'1' * 32}\n{pdq},the cat\n")
    assert main(["match", str(folder), "--against", str(hashes)]) == DONE
    out, err = capsys.readouterr()
    assert "2 files match an entry of the list, of 5 files." in out
    assert "entry on line 3 of the list (the cat)" in out
    assert "line 2: The PDQ has 32 digits instead of 64." in err
    assert main(["match", str(folder), "--against", str(hashes), "--json", "-"]) == DONE
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "counterproof.matches/1"
    assert [(Path(m["path"]).name, m["variant"], m["entry"]["line"]) for m in record["matches"]] == [
        ("a.jpg", "as_it_is", 3),
        ("b-mirrored.jpg", "mirrored", 3),
    ]
    assert record["list"]["rejected"] == [{"line": 2, "reason": "The PDQ has 32 digits instead of 64."}]


def test_what_cannot_start_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["match", str(folder), "--against", str(tmp_path / "none")]) == USAGE
    assert "cannot be read" in capsys.readouterr().err
    photo = (folder / "a.jpg").read_bytes()
    assert main(["group", str(folder), "--json", str(folder / "a.jpg")]) == USAGE
    assert (folder / "a.jpg").read_bytes() == photo
    (tmp_path / "empty").mkdir()
    assert main(["group", str(tmp_path / "empty")]) == SOME_NOT
    with pytest.raises(SystemExit) as e:
        main(["match", str(folder)])
    assert e.value.code == USAGE


def test_nothing_is_opened_when_somebody_may_be_under_18(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detectors.scan.read_file", lambda *_: pytest.fail("a file was opened"))
    for verb in (["group"], ["match", "--against", "list"]):
        assert main([*verb, str(folder), "--age", "unsure", "--country", "GB"]) == SOME_NOT
    assert capsys.readouterr().out == ""
