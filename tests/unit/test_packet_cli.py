"""`counterproof packet`: what is printed, what is written, and the exit status."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from desktop import packet_show
from desktop.casebook.casebook import Casebook
from desktop.cli import main
from desktop.packets import bag, complete, facts, verify
from desktop.packets.request import from_toml, to_json
from tests.casebook_kill import CHEAP
from tests.conftest import ROOT
from tests.packet_texts import pages_of
from tests.unit.packet_bags import OTHER_KEY, PAYLOAD, files_of, packed, zipped
from tests.unit.packet_requests import full_request

DEMO = str(ROOT / "resources" / "demo" / "request.toml")
Said = pytest.CaptureFixture[str]


@pytest.fixture
def lacking(tmp_path: Path) -> str:
    """A request without a signature, and with a profile in the place of a post."""
    request = full_request(facts.load(), "us_tida", "x")
    request = complete.without(request, "signature")
    seen = dataclasses.replace(request.sightings[0], url="https://x.com/example_account")
    path = tmp_path / "lacking.json"
    path.write_text(to_json(dataclasses.replace(request, sightings=(seen,))))
    return str(path)


@pytest.fixture
def minor(tmp_path: Path) -> str:
    """A request in which the age question was answered: perhaps under 18."""
    path = tmp_path / "minor.toml"
    path.write_text(Path(DEMO).read_text("utf-8").replace('age = "adults"', 'age = "unsure"'), "utf-8")
    return str(path)


def flat(text: str) -> str:
    """What was printed, without the places where lines end."""
    return " ".join(text.split())


def record(capsys: Said) -> dict[str, object]:
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


class TestCheck:
    def test_a_complete_request(self, capsys: Said) -> None:
        assert main(["packet", "check", DEMO]) == 0
        out = capsys.readouterr().out
        assert out.startswith("To X: Take It Down form\nUnder TAKE IT DOWN Act (")
        assert "Complete: every part that is required is there." in out
        assert "Check before sending" in out
        assert max(map(len, out.splitlines())) <= 88

    def test_as_json(self, capsys: Said) -> None:
        assert main(["packet", "check", DEMO, "--json"]) == 0
        found = record(capsys)
        assert found["schema"] == "counterproof.packet_check/1"
        assert (found["complete"], found["missing"], found["refusals"]) == (True, [], [])
        assert (found["law"], found["platform"], found["channel"]) == ("us_tida", "x", "take_it_down")

    def test_what_is_missing_is_named_and_the_status_is_2(self, lacking: str, capsys: Said) -> None:
        assert main(["packet", "check", lacking]) == 2
        out = capsys.readouterr().out
        assert "Not complete: 1 part is missing." in out
        assert "\nMissing\n  Signature: " in out
        assert "\nCould be stronger\n  Where it is: " in out
        assert main(["packet", "check", lacking, "--json"]) == 2
        assert record(capsys)["missing"] == ["signature"]

    def test_where_someone_may_be_under_18_nothing_else_is_said(self, minor: str, capsys: Said) -> None:
        assert main(["packet", "check", minor]) == 2
        out = capsys.readouterr().out
        assert "cannot be made in this way" in out
        assert "Take It Down" in out
        assert "Missing" not in out
        assert "Complete" not in out

    def test_from_standard_input(self, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + Path(DEMO).read_bytes())))
        assert main(["packet", "check", "-"]) == 0

    @pytest.mark.parametrize(
        ("text", "says"),
        [(b"schema = 1", "schema"), (b"\xff\xfe", "UTF-8"), (b"law = [", "TOML"), (b"{", "JSON")],
    )
    def test_what_cannot_be_read_is_status_1(self, text: bytes, says: str, tmp_path: Path, capsys: Said) -> None:
        (tmp_path / "r").write_bytes(text)
        assert main(["packet", "check", str(tmp_path / "r")]) == 1
        said = capsys.readouterr()
        assert says in said.err
        assert said.out == ""

    def test_a_missing_file(self, tmp_path: Path, capsys: Said) -> None:
        assert main(["packet", "check", str(tmp_path / "none")]) == 1
        assert "could not be read" in flat(capsys.readouterr().err)

    def test_no_escape_reaches_the_terminal(self, capsys: Said, tmp_path: Path) -> None:
        request = from_toml(Path(DEMO).read_text("utf-8"))
        hostile = dataclasses.replace(request.sightings[0], url="https://evil.example/\u202egnp", platform="\u202e")
        (tmp_path / "r.json").write_text(to_json(dataclasses.replace(request, sightings=(hostile,))))
        main(["packet", "check", str(tmp_path / "r.json")])
        main(["packet", "routes", str(tmp_path / "r.json")])
        assert capsys.readouterr().out.replace("\n", "").isprintable()

    def test_a_request_that_leads_elsewhere_is_noticed(self, tmp_path: Path, capsys: Said) -> None:
        """Somebody who makes a request for her could have it sent to himself."""
        request = full_request(facts.load(), "", "telegram", channel="abuse")
        to = dataclasses.replace(request.recipient, name="Telegram", address="", email="desk@evil.example")
        (tmp_path / "r.json").write_text(to_json(dataclasses.replace(request, recipient=to)))
        assert main(["packet", "check", str(tmp_path / "r.json")]) == 0
        says = (
            "The request itself says to whom it goes: Telegram, desk@evil.example. What is known is Telegram at abuse@"
        )
        assert f"Check before sending {says}" in flat(capsys.readouterr().out)
        assert main(["packet", "build", str(tmp_path / "r.json"), "-o", str(tmp_path / "out"), "--unsigned"]) == 0
        out = flat(capsys.readouterr().out)
        assert says in out
        assert "Send it by e-mail to abuse@" in out
        assert main(["packet", "check", str(tmp_path / "r.json"), "--json"]) == 0
        assert says in str(record(capsys)["doubts"])
        (tmp_path / "r.json").write_text(to_json(full_request(facts.load(), "", "host")))
        assert main(["packet", "check", str(tmp_path / "r.json")]) == 0
        assert "The request itself says" not in flat(capsys.readouterr().out)


class TestRoutes:
    def test_in_order_with_reasons(self, capsys: Said) -> None:
        assert main(["packet", "routes", DEMO]) == 0
        out = capsys.readouterr().out
        assert out.startswith("1. X: Take It Down form [x/take_it_down")
        assert "\nWho helps\n" in out
        assert max(map(len, out.splitlines())) <= 88
        assert main(["packet", "routes", DEMO, "--json"]) == 0
        found = record(capsys)["routes"]
        assert isinstance(found, list)
        assert found[0]["platform_id"] == "x"

    def test_where_someone_may_be_under_18_only_what_is_for_that(self, minor: str, capsys: Said) -> None:
        assert main(["packet", "routes", minor, "--json"]) == 0
        found = record(capsys)["routes"]
        assert isinstance(found, list)
        assert found
        assert not [r for r in found if r["law_id"] or r["platform_id"] in ("x", "stopncii")]


class TestBuild:
    def test_what_is_written_and_said(self, tmp_path: Path, capsys: Said) -> None:
        out = tmp_path / "out"
        assert main(["packet", "build", DEMO, "-o", str(out), "--key", str(tmp_path / "key.pem")]) == 0
        said = capsys.readouterr()
        names = sorted(p.name for p in out.iterdir())
        assert [n.split("request-")[0] + n.partition(".")[2] for n in names] == [
            "for-you-pdf",
            "for-you-txt",
            "zip",
            "zip.sha256",
        ]
        assert all(n in said.out for n in names)
        assert "was made now" in said.err
        if os.name != "nt":
            assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
        assert "Open https://help.x.com/" in said.out.replace("\n    ", " ")
        assert max(map(len, said.out.splitlines())) <= max(88, len(str(out)) + 30)
        assert "not encrypted" in said.out

    def test_the_key_is_made_once(self, tmp_path: Path, capsys: Said) -> None:
        key = str(tmp_path / "key.pem")
        assert main(["packet", "build", DEMO, "-o", str(tmp_path / "a"), "--key", key]) == 0
        capsys.readouterr()
        assert main(["packet", "build", DEMO, "-o", str(tmp_path / "b"), "--key", key]) == 0
        assert capsys.readouterr().err == ""
        os.chmod(key, 0o644)
        assert main(["packet", "build", DEMO, "-o", str(tmp_path / "b"), "--key", key]) == 0
        assert os.name == "nt" or "chmod 600" in flat(capsys.readouterr().err)
        a, b = (next((tmp_path / n).glob("*.zip")) for n in "ab")
        assert (a.name, a.read_bytes()) == (b.name, b.read_bytes())

    def test_incomplete_is_status_2_and_nothing_is_made(self, lacking: str, tmp_path: Path, capsys: Said) -> None:
        key, out = tmp_path / "key.pem", tmp_path / "out"
        assert main(["packet", "build", lacking, "-o", str(out), "--key", str(key)]) == 2
        said = capsys.readouterr()
        assert "Missing\n  Signature" in said.out
        assert "--draft" in said.err
        assert not out.exists()
        assert not key.exists()

    def test_a_draft(self, lacking: str, tmp_path: Path, capsys: Said) -> None:
        out = tmp_path / "out"
        assert main(["packet", "build", lacking, "-o", str(out), "--unsigned", "--draft"]) == 0
        assert "a draft, which is not to be sent" in flat(capsys.readouterr().out)
        (zip_file,) = out.glob("*.zip")
        mark = "DRAFT. Not complete. Not to be sent."
        pdfs = [data for path, data in files_of_bytes(zip_file).items() if path.endswith(".pdf")]
        (sheet,) = out.glob("for-you-draft-*.pdf")
        for pdf in (*pdfs, sheet.read_bytes()):
            pages = pages_of(pdf)
            assert pages
            assert [mark in flat(page) for page in pages] == [True] * len(pages)
        (text,) = out.glob("for-you-draft-*.txt")
        assert text.read_text("utf-8").startswith(f"{mark}\n")
        assert len(list(out.glob("*draft-*"))) == 4
        assert main(["packet", "verify", str(zip_file)]) == 0
        said = capsys.readouterr().out
        assert "It is a draft" in said
        assert "not signed" in said

    def test_refused_as_a_draft_too(self, minor: str, tmp_path: Path, capsys: Said) -> None:
        out = tmp_path / "out"
        assert main(["packet", "build", minor, "-o", str(out), "--unsigned", "--draft"]) == 2
        assert "cannot be made in this way" in flat(capsys.readouterr().out)
        assert not out.exists()

    def test_without_a_time_it_is_made_now_and_said(self, tmp_path: Path, capsys: Said) -> None:
        lines = [x for x in Path(DEMO).read_text("utf-8").splitlines() if not x.startswith("created_at")]
        (tmp_path / "r.toml").write_text("\n".join(lines), "utf-8")
        assert main(["packet", "build", str(tmp_path / "r.toml"), "-o", str(tmp_path / "out"), "--unsigned"]) == 0
        said = flat(capsys.readouterr().err)
        (zip_file,) = (tmp_path / "out").glob("*.zip")
        found = verify.verify(zip_file.read_bytes())
        assert f"created_at = {found.created_at}" in said
        assert found.created_at > "2026"

    def test_a_picture_is_not_put_in_because_the_file_says_so(self, tmp_path: Path, capsys: Said) -> None:
        text = Path(DEMO).read_text("utf-8") + '\n[include]\nimage = "full"\n'
        (tmp_path / "r.toml").write_text(text, "utf-8")
        assert main(["packet", "build", str(tmp_path / "r.toml"), "-o", str(tmp_path / "out"), "--unsigned"]) == 0
        (zip_file,) = (tmp_path / "out").glob("*.zip")
        assert not [p for p in files_of_zip(zip_file) if "image" in p]
        assert "--image" in flat(capsys.readouterr().err)

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            (["--to", "age1wrong"], "not a key to encrypt to"),
            (["--to", "age1x", "--encrypt"], "not both"),
            (["--image", "full", "--yes"], "is not there"),
        ],
    )
    def test_what_is_wrong_is_said_before_anything_is_written(
        self, more: list[str], says: str, tmp_path: Path, capsys: Said
    ) -> None:
        out = tmp_path / "out"
        assert main(["packet", "build", DEMO, "-o", str(out), "--unsigned", *more]) == 1
        assert says in flat(capsys.readouterr().err)
        assert not out.exists()

    def test_encrypted_what_stays_in_clear_is_said_first_and_can_be_left_out(
        self, tmp_path: Path, capsys: Said
    ) -> None:
        import pyrage

        to = str(pyrage.x25519.Identity.generate().to_public())
        build = ["packet", "build", DEMO, "--unsigned", "--to", to, "-o"]
        assert main([*build, str(tmp_path / "one")]) == 0
        assert "Only the packet is encrypted." in flat(capsys.readouterr().err)
        assert len(list((tmp_path / "one").glob("for-you-*"))) == 2
        assert main([*build, str(tmp_path / "two"), "--no-sheet"]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert "for-you" not in said.out
        assert "Open https://help.x.com/" in said.out.replace("\n    ", " ")
        assert sorted(p.name.partition(".")[2] for p in (tmp_path / "two").iterdir()) == ["zip.age", "zip.sha256"]

    def test_what_check_refuses_is_refused(self, tmp_path: Path, capsys: Said) -> None:
        """A picture for a regulator, that the request asks for, and then the command."""
        request = full_request(facts.load(), "us_tida", "us_ftc", country="US")
        asking = dataclasses.replace(request, include=dataclasses.replace(request.include, image="full"))
        out = tmp_path / "out"
        for one, image, status in (
            (request, "none", 0),
            (asking, "none", 2),
            (asking, "full", 2),
            (request, "full", 2),
        ):
            (tmp_path / "r.json").write_text(to_json(one))
            assert main(["packet", "check", str(tmp_path / "r.json")]) == (2 if one is asking else 0)
            build = ["packet", "build", str(tmp_path / "r.json"), "-o", str(out), "--unsigned", "--image", image]
            assert main([*build, "--draft"]) == status
            said = flat(capsys.readouterr().out)
            assert ("so none is put in" in said) == bool(status)
            assert out.exists() == (status == 0)
            shutil.rmtree(out, ignore_errors=True)

    def test_each_file_that_would_go_along_is_named_first(self, tmp_path: Path, capsys: Said) -> None:
        """A request may come from somebody else, who names what is on her computer."""
        work = tmp_path / "work"
        work.mkdir()
        picture = tmp_path / "hers\n  and more.jpg"
        picture.write_bytes((ROOT / "resources" / "demo" / "01-plain-photo-cat.jpg").read_bytes())
        (work / "innocent.jpg").symlink_to(picture)
        asked = self.asking(work, ["innocent.jpg"])
        build = ["packet", "build", asked, "-o", str(tmp_path / "out"), "--unsigned", "--image", "full"]
        assert main(build) == 1
        said = capsys.readouterr().err
        assert f"  item 1: {tmp_path}/hers\\n  and more.jpg\n" in said
        assert "the place, the time and the camera" in flat(said)
        assert "Nothing was built" in said
        assert main([*build, "--yes"]) == 0
        assert f"item 1: {tmp_path}/hers" in capsys.readouterr().err

    @pytest.mark.skipif(os.name == "nt", reason="devices and pipes with names are of Unix")
    @pytest.mark.parametrize("image", ["full", "blurred"])
    @pytest.mark.parametrize(
        "file", ["/etc/passwd", "../secret.txt", "/dev/zero", "pipe", ".", "/nowhere", "loop", "large"]
    )
    def test_no_file_that_is_no_picture_goes_along(self, file: str, image: str, tmp_path: Path, capsys: Said) -> None:
        work = tmp_path / "work"
        work.mkdir()
        (tmp_path / "secret.txt").write_text("secret")
        os.mkfifo(work / "pipe")
        (work / "loop").symlink_to("loop")
        with (work / "large").open("wb") as large:
            large.truncate(1 << 40)
        asked = self.asking(work, [file])
        build = ["packet", "build", asked, "-o", str(tmp_path / "out"), "--unsigned", "--image", image, "--yes"]
        assert main(build) == 1
        said = capsys.readouterr()
        assert os.path.realpath(work / file) in said.err
        assert len(flat(said.err)) > 300
        assert not (tmp_path / "out").exists()

    def asking(self, folder: Path, files: list[str]) -> str:
        """A request in the folder with these as its pictures, which names no fingerprint of theirs."""
        request = from_toml(Path(DEMO).read_text("utf-8"))
        items = tuple(dataclasses.replace(request.items[0], id=n, sha256="", file=f) for n, f in enumerate(files, 1))
        (folder / "r.json").write_text(to_json(dataclasses.replace(request, items=items)))
        return str(folder / "r.json")

    def test_what_is_there_stays(self, tmp_path: Path, capsys: Said) -> None:
        build = ["packet", "build", DEMO, "-o", str(tmp_path), "--unsigned"]
        assert main(build) == 0
        (sheet,) = tmp_path.glob("*.txt")
        sheet.write_text("her own words")
        assert main(build) == 1
        assert "stays as it is" in flat(capsys.readouterr().err)
        assert sheet.read_text() == "her own words"

    @pytest.mark.parametrize("key", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff"])
    def test_a_file_that_is_no_key(self, key: bytes, tmp_path: Path, capsys: Said) -> None:
        (tmp_path / "key").write_bytes(key)
        (tmp_path / "key").chmod(0o600)
        assert main(["packet", "build", DEMO, "-o", str(tmp_path / "out"), "--key", str(tmp_path / "key")]) == 1
        assert "not a key that signs packets" in flat(capsys.readouterr().err)
        assert (tmp_path / "key").read_bytes() == key

    def test_a_folder_that_is_no_key(self, tmp_path: Path, capsys: Said) -> None:
        assert main(["packet", "build", DEMO, "-o", str(tmp_path / "out"), "--key", str(tmp_path)]) == 1
        said = flat(capsys.readouterr().err)
        assert "not a key that signs packets" in said
        assert "chmod" not in said

    def test_a_casebook_that_does_not_know_the_picture(self, tmp_path: Path, capsys: Said) -> None:
        (tmp_path / "secret").write_text("lantern gravel otter midnight")
        (tmp_path / "secret").chmod(0o600)
        book, _ = Casebook.create(tmp_path / "my.case", "lantern gravel otter midnight", "Amina", _cost=CHEAP)
        with book:
            book.add_incident("one")
        signed = ["--casebook", str(tmp_path / "my.case"), "--passphrase-file", str(tmp_path / "secret")]
        assert main(["packet", "build", DEMO, "-o", str(tmp_path / "out"), *signed]) == 0
        assert "no custody log goes along" in flat(capsys.readouterr().err)
        (zip_file,) = (tmp_path / "out").glob("*.zip")
        assert not [p for p in files_of_zip(zip_file) if "custody" in p]
        with Casebook.open(tmp_path / "my.case", "lantern gravel otter midnight", "Amina") as book:
            assert [p.name for p in book.packets()] == [zip_file.stem]

    def test_where_it_cannot_be_recorded_the_packet_is_there_and_that_is_said(
        self, tmp_path: Path, capsys: Said
    ) -> None:
        (tmp_path / "secret").write_text("lantern gravel otter midnight")
        (tmp_path / "secret").chmod(0o600)
        book, _ = Casebook.create(tmp_path / "my.case", "lantern gravel otter midnight", "Amina", _cost=CHEAP)
        with book:
            book.add_incident("one")
            two = book.add_incident("two").id
        signed = ["--casebook", str(tmp_path / "my.case"), "--passphrase-file", str(tmp_path / "secret")]
        build = ["packet", "build", DEMO, "-o", str(tmp_path / "out"), *signed]
        assert main(build) == 1
        assert "written, but not recorded" in flat(capsys.readouterr().err)
        assert len(list((tmp_path / "out").glob("*.zip"))) == 1
        assert main([*build, "--incident", str(two)]) == 0


def files_of_zip(path: Path) -> list[str]:
    return list(files_of_bytes(path))


def files_of_bytes(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as whole:
        return {name: whole.read(name) for name in whole.namelist()}


class TestSplit:
    def test_one_request_for_each_picture_where_the_form_wants_that(self, tmp_path: Path, capsys: Said) -> None:
        request = from_toml(Path(DEMO).read_text("utf-8"))
        seen = request.sightings[0]
        many = tuple(dataclasses.replace(seen, url=f"{seen.url[:-2]}{n}") for n in range(10, 50))
        (tmp_path / "r.json").write_text(to_json(dataclasses.replace(request, sightings=many)))
        out = tmp_path / "out"
        assert main(["packet", "split", str(tmp_path / "r.json"), "-o", str(out)]) == 0
        assert "40 places in 40 requests" in flat(capsys.readouterr().out)
        names = sorted(p.name for p in out.iterdir())
        assert names[0] == "request-01-of-40.json"
        assert main(["packet", "check", str(out / names[-1])]) == 0

    def test_what_is_refused_is_not_split(self, minor: str, tmp_path: Path, capsys: Said) -> None:
        out = tmp_path / "out"
        assert main(["packet", "split", minor, "-o", str(out)]) == 2
        assert "cannot be made in this way" in capsys.readouterr().out
        assert main(["packet", "split", minor, "-o", str(out), "--json"]) == 2
        assert record(capsys)["refusals"]
        assert not out.exists()


class TestVerify:
    def written(self, tmp_path: Path, data: bytes) -> str:
        (tmp_path / "p.zip").write_bytes(data)
        return str(tmp_path / "p.zip")

    def test_whole(self, tmp_path: Path, capsys: Said) -> None:
        path = self.written(tmp_path, packed().zip)
        assert main(["packet", "verify", path]) == 0
        out = flat(capsys.readouterr().out)
        assert "is whole: nothing in it was changed since it was signed." in out
        assert packed().signer[:39] in out
        assert "no program can tell" in out
        assert main(["packet", "verify", path, "--json"]) == 0
        found = record(capsys)
        assert (found["ok"], found["signer"], found["problems"]) == (True, packed().signer, [])

    def test_changed(self, tmp_path: Path, capsys: Said) -> None:
        files = files_of(packed()) | {"data/request.json": b"{}"}
        assert main(["packet", "verify", self.written(tmp_path, zipped(packed().name, files))]) == 1
        out = capsys.readouterr().out
        assert "Do not rely on" in out
        assert "data/request.json was changed." in out

    def test_the_key_that_is_expected(self, tmp_path: Path, capsys: Said) -> None:
        path = self.written(tmp_path, packed().zip)
        typed = packed().signer.upper().replace(" ", "")
        assert main(["packet", "verify", path, "--signer", typed]) == 0
        forged = bag.pack(PAYLOAD, created_at=from_toml(Path(DEMO).read_text("utf-8")).created_at, key=OTHER_KEY)  # type: ignore[arg-type]
        for other in (forged.zip, packed(None).zip):
            capsys.readouterr()
            assert main(["packet", "verify", self.written(tmp_path, other), "--signer", typed]) == 1
            assert "but signed by" in flat(capsys.readouterr().out)
        assert main(["packet", "verify", path, "--signer", "1234"]) == 1
        assert "nothing was checked" in flat(capsys.readouterr().err)


class TestFacts:
    def test_all_with_their_marks(self, capsys: Said) -> None:
        assert main(["packet", "facts"]) == 0
        out = capsys.readouterr().out
        known = facts.load()
        assert f"Laws ({len(known.laws)})" in out
        assert all(f"  {id}: " in out for id in (*known.laws, *known.platforms))
        doubted = sum(law.confidence != "verified" for law in known.laws.values())
        assert doubted
        assert out.count("(secondary)") + out.count("(unverified)") >= doubted

    @pytest.mark.parametrize("id", ["us_tida", "laws/us_tida", "x", "platforms/x"])
    def test_one(self, id: str, capsys: Said) -> None:
        assert main(["packet", "facts", id]) == 0
        out = capsys.readouterr().out
        assert "\nSource\n" in out
        assert main(["packet", "facts", id, "--json"]) == 0
        assert {"law", "platform"} & record(capsys).keys()

    def test_in_words(self, capsys: Said) -> None:
        assert main(["packet", "facts", "us_tida"]) == 0
        out = flat(capsys.readouterr().out)
        assert "Who may ask: the person in the picture, somebody who acts for that person, a parent or guardian" in out
        assert out.count("tell the Federal Trade Commission. [us_ftc]") == 1

    def test_each_law_and_platform_can_be_shown(self, capsys: Said) -> None:
        known = facts.load()
        for law in known.laws.values():
            packet_show.say_all(packet_show.law_lines(law))
        for platform in known.platforms.values():
            packet_show.say_all(packet_show.platform_lines(platform))
        out = capsys.readouterr().out
        assert len(out.splitlines()) > 500
        assert out.replace("\n", "").isprintable()

    def test_an_unknown_one(self, capsys: Said) -> None:
        assert main(["packet", "facts", "us_tidy"]) == 1
        assert "us_tida" in flat(capsys.readouterr().err)

    def test_newer_ones_are_shown_first_and_added_only_on_a_yes(self, tmp_path: Path, capsys: Said) -> None:
        text = (ROOT / "resources" / "platforms" / "x.toml").read_text("utf-8")
        old = "https://help.x.com/forms/safety-and-sensitive-content/take-it-down"
        assert old in text
        (tmp_path / "x.toml").write_text(text.replace(old, "https://evil.example/take-it-down"), "utf-8")
        added = ["--added-facts", str(tmp_path / "added")]
        assert main(["packet", "facts", "--import", str(tmp_path / "x.toml"), *added]) == 1
        said = capsys.readouterr()
        assert "MIND: platforms/x" in said.out
        assert "https://evil.example/take-it-down" in said.out.replace("\n    ", " ")
        assert "Nothing was added" in said.err
        assert not (tmp_path / "added").exists()
        assert main(["packet", "facts", "--import", str(tmp_path / "x.toml"), "--yes", *added]) == 0
        capsys.readouterr()
        assert main(["packet", "facts", "x", *added]) == 0
        assert "dded by hand" in flat(capsys.readouterr().out)
        assert main(["packet", "facts", "x"]) == 0
        assert "evil.example" not in capsys.readouterr().out

    def test_a_file_that_is_none(self, tmp_path: Path, capsys: Said) -> None:
        (tmp_path / "x.toml").write_text("name = 1")
        assert main(["packet", "facts", "--import", str(tmp_path / "x.toml"), "--yes"]) == 1
        assert capsys.readouterr().err


def test_what_scripts_read_is_documented(tmp_path: Path, capsys: Said) -> None:
    """Each schema with each of its keys."""
    lines = (ROOT / "docs" / "packets.md").read_text("utf-8").splitlines()
    made = str(tmp_path / "p.zip")
    Path(made).write_bytes(packed().zip)
    out = ["-o", str(tmp_path / "out")]
    for verb, *rest in (
        ["check", DEMO], ["routes", DEMO], ["build", DEMO, *out, "--unsigned"], ["split", DEMO, *out],
        ["verify", made], ["facts"], ["facts", "x"], ["facts", "us_tida"],
    ):  # fmt: skip
        assert main(["packet", verb, *rest, "--json"]) == 0
        found = record(capsys)
        (row,) = (line for line in lines if line.startswith(f"| `{verb}` | `counterproof."))
        known = row + next(line for line in lines if line.startswith("| `check` | `counterproof.")) * (verb == "build")
        schema = str(found.pop("schema")).removeprefix("counterproof.")
        assert f"{schema}`" in row
        assert [key for key in found if f"`{key}`" not in known] == []


def test_without_a_verb_the_command_is_not_understood(capsys: Said) -> None:
    with pytest.raises(SystemExit) as left:
        main(["packet"])
    assert left.value.code == 2
    assert "VERB" in flat(capsys.readouterr().err)


def test_the_help_names_every_verb(capsys: Said) -> None:
    with pytest.raises(SystemExit):
        main(["packet", "--help"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 88
    for verb in ("check", "routes", "build", "split", "verify", "facts"):
        assert f"\n    {verb} " in out
