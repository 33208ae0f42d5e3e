"""The `case` verbs in this process: a real casebook with a cheap key, and a made-up engine."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desktop import case_add, case_show, cli
from desktop.casebook import database, keys
from desktop.casebook.casebook import Casebook
from desktop.safety import passphrase
from detectors.inputs import Input
from detectors.report import Fingerprinted, Report, View
from detectors.scan import ScanOptions
from tests.unit.sample_reports import HOSTILE, report, unreadable

WORDS = "lantern gravel otter midnight"


def fingerprints(path: str) -> tuple[str, str]:
    """SHA-256 of a file, and a made-up PDQ: files that begin alike look alike."""
    data = Path(path).read_bytes()
    return hashlib.sha256(data).hexdigest(), hashlib.sha256(data[:4]).hexdigest()


class MadeUpScanner:
    """Reports on each file from its bytes alone."""

    options: list[ScanOptions] = []  # noqa: RUF012 - of all runs of one test
    stop_after: int | None = None

    def __init__(self, options: ScanOptions) -> None:
        MadeUpScanner.options.append(options)
        self.options_here = options

    def __enter__(self) -> MadeUpScanner:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def scan(self, inputs: Iterable[Input], cancel: threading.Event) -> Iterator[Report]:
        for n, item in enumerate(inputs):
            if n == self.stop_after:
                cancel.set()
                return
            if item.error is not None or "bad" in item.path:
                yield unreadable(item.path)
                continue
            sha256, pdq = fingerprints(item.path)
            made = report(item.path, thumbnail=b"veil" if self.options_here.thumbnails else None)
            assert made.analysis is not None
            hashes = replace(made.analysis.hashes, sha256=sha256, pdq=pdq)
            yield replace(made, sha256=sha256, analysis=replace(made.analysis, hashes=hashes))

    def fingerprint(self, path: str) -> Fingerprinted:
        sha256, pdq = fingerprints(path)
        made = report(path).analysis
        assert made is not None
        view = View("whole", (0, 0, 1024, 768), pdq, 100)
        return Fingerprinted(path, made.media, replace(made.hashes, sha256=sha256, pdq=pdq), (view,), sha256=sha256)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(keys, "choose_cost", lambda: keys.Cost(10, 1))
    monkeypatch.setattr(case_add, "Scanner", MadeUpScanner)
    monkeypatch.setattr(MadeUpScanner, "options", [])
    monkeypatch.setattr(MadeUpScanner, "stop_after", None)
    monkeypatch.setenv("LC_ALL", "C")
    with in_zone("Europe/London"):
        yield


@contextlib.contextmanager
def in_zone(name: str) -> Iterator[None]:
    """This computer's time zone for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


class Case:
    """A casebook of one test, and the command line on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.file, self.secret, self._capsys = folder, folder / "my.case", folder / "secret", capsys
        self.secret.write_text(f"{WORDS}\n")
        self.secret.chmod(0o600)
        self.err = ""

    def __call__(self, verb: str, *words: str | Path | int, code: int = 0) -> str:
        """What `case VERB` prints on standard output; `err` holds the rest."""
        given = [verb, str(self.file), *map(str, words), "--passphrase-file", str(self.secret)]
        with contextlib.suppress(SystemExit):
            assert cli.main(["case", *given]) == code, self._capsys.readouterr()
        out, self.err = self._capsys.readouterr()
        return out

    def json(self, verb: str, *words: str | Path | int, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(verb, *words, "--json", code=code))
        assert found.pop("schema") == "counterproof.case/1"
        return found

    def picture(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    @contextlib.contextmanager
    def book(self) -> Iterator[Casebook]:
        with Casebook.open(self.file, WORDS, "test") as book:
            yield book


@pytest.fixture
def case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Case:
    made = Case(tmp_path, capsys)
    made("new", "--title", "Fakes", "--country", "GB")
    return made


def test_new_shows_the_recovery_code_once_and_it_opens_the_casebook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(tmp_path, capsys)
    code = case.json("new", "--depicted", "me", "--as", "Ana")["recovery_code"]
    (tmp_path / "code").write_text(code)
    (tmp_path / "code").chmod(0o600)
    opened = [*("open", str(case.file)), "--recovery-code", "--passphrase-file", str(tmp_path / "code")]
    assert cli.main(["case", *opened]) == 0
    shown = capsys.readouterr().out
    assert "who is depicted: me" in shown
    assert code not in shown
    assert "Ana: created casebook" in case("log")


def test_new_overwrites_nothing_and_refuses_what_is_easily_guessed(case: Case) -> None:
    before = case.file.read_bytes()
    case("new", code=1)
    assert "is there already" in case.err
    assert case.file.read_bytes() == before
    case.secret.write_text("password123")
    case.file = case.folder / "other.case"
    case("new", code=1)
    assert "first that anybody would try" in case.err
    assert not case.file.exists()


def test_add_wants_the_answer_about_age_before_it_opens_anything(case: Case) -> None:
    before = case.file.read_bytes()
    case("add", case.picture("a.jpg", b"a"), code=1)
    assert "--age" in case.err
    assert MadeUpScanner.options == []
    assert case.file.read_bytes() == before


@pytest.mark.parametrize("age", ["minor", "unsure"])
def test_where_someone_may_be_under_18_only_text_is_recorded(
    case: Case, age: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = case.picture("a.jpg", b"a picture that must not be read")

    def opened(*_: object, **__: object) -> bytes:
        pytest.fail("a picture was opened")

    monkeypatch.setattr(case_add, "read_file", opened)
    monkeypatch.setattr(case_add, "find_inputs", opened)
    monkeypatch.setattr(case_add, "listed", opened)
    seen = ["--url", "https://example.org/1", "--handle", "@x", "--seen-at", "2026-07-01 12:00"]
    (found,) = case.json("add", picture, "--age", age, *seen, code=1)["sightings"]
    assert (found["url"], found["handle"], found["maybe_minor"]) == ("https://example.org/1", "@x", True)
    assert found["item_id"] is None
    assert found["seen_at"] == "2026-07-01T12:00:00+01:00"
    assert "takeitdown.ncmec.org" in case.err
    assert MadeUpScanner.options == []
    assert case.json("list")["items"] == []
    case("add", picture, "--age", age, code=1)  # nothing to record
    assert "--maybe-minor" in case.err
    assert len(case.json("sighting")["sightings"]) == 1


def test_add_records_each_picture_once_and_where_it_was_seen_each_time(case: Case) -> None:
    folder = case.folder / "in"
    folder.mkdir()
    for name, data in (("a.jpg", b"aaaa1"), ("b.jpg", b"bbbb1"), ("same as a.jpg", b"aaaa1"), ("bad.jpg", b"x")):
        (folder / name).write_bytes(data)
    first = case.json("add", folder, "--age", "adults", "--url", "https://example.org/1", code=1)
    assert [(os.path.basename(a["path"]), a["item"]) for a in first["added"]] == [("a.jpg", 1), ("b.jpg", 2)]
    assert [a["item"] for a in first["already"]] == [1]
    assert [n["error"]["code"] for n in first["not_added"]] == ["truncated"]
    again = case.json("add", folder / "a.jpg", "--age", "adults", "--url", "https://example.org/2")
    assert (again["added"], [a["item"] for a in again["already"]]) == ([], [1])
    case("add", folder / "a.jpg", "--age", "adults", "--url", "https://example.org/2")  # such as after a stop
    seen = case.json("sighting")["sightings"]
    assert [(s["item_id"], s["url"][-1]) for s in seen] == [(1, "1"), (2, "1"), (1, "2")]
    for _ in range(2):
        later = ["--url", "https://example.org/2", "--seen-at", "2027-01-01 10:00"]
        case("add", folder / "a.jpg", "--age", "adults", *later)
    assert len(case.json("sighting", "--item", 1)["sightings"]) == 3, "still there, later"
    with case.book() as book:
        assert {i.label for i in book.items()} == {"a.jpg", "b.jpg"}  # no folder is kept
        assert not any(i.has_image for i in book.items())
        assert all(i.views for i in book.items())
    assert all(o.cache is None for o in MadeUpScanner.options), "a case leaves nothing in the cache"


def test_a_table_says_where_each_file_was_seen(case: Case) -> None:
    folder = case.folder / "in"
    folder.mkdir()
    for name in ("a.jpg", "b, c.jpg"):
        (folder / name).write_bytes(name.encode())
    table = folder / "list.csv"
    table.write_text(
        "\ufefffile,url,handle,seen_at\na.jpg,https://example.org/1,@x,2026-07-01 12:00\n"
        '"b, c.jpg",https://example.org/2,,\na.jpg,https://example.org/3,@y,\n',
        encoding="utf-8",
    )
    case("add", "--sightings", table, "--platform", "X", "--age", "minor", code=1)
    assert MadeUpScanner.options == []
    assert [s["maybe_minor"] for s in case.json("sighting")["sightings"]] == [True] * 3
    for _ in range(2):  # the second time adds nothing
        case("add", "--sightings", table, "--time-zone", "Europe/Paris", "--age", "adults")
        seen = [s for s in case.json("sighting")["sightings"] if not s["maybe_minor"]]
        places = sorted((s["item_id"], s["url"][-1], s["handle"]) for s in seen)
        assert places == [(1, "1", "@x"), (1, "3", "@y"), (2, "2", "")]
    assert next(s["seen_at"] for s in seen if s["url"].endswith("1")) == "2026-07-01T12:00:00+02:00"
    assert "2026-07-01 11:00 +01:00 (2026-07-01 12:00 in Europe/Paris): https://example.org/1" in case("sighting")
    assert [i["label"] for i in case.json("list")["items"]] == ["a.jpg", "b, c.jpg"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("url\nhttps://example.org\n", "column file"),
        ("file,link\na.jpg,https://example.org\n", "called link"),
        ("file,url\n,https://example.org\n", "line 2 names no file"),
        ("file,url\na.jpg,https://example.org,more\n", "line 2"),
        ("file,seen_at\na.jpg,yesterday\n", "not a time"),
        ('file,url\n"a.jpg,https://example.org\n', "line"),
        ("file\n", "no rows"),
        ("", "column file"),
    ],
)
def test_a_malformed_table_adds_nothing(case: Case, text: str, why: str) -> None:
    case.picture("a.jpg", b"a")
    case("add", "--sightings", case.picture("list.csv", text.encode()), "--age", "adults", code=1)
    assert why in case.err
    assert MadeUpScanner.options == []


def test_a_wrong_time_is_said_before_anything_is_added(case: Case) -> None:
    for wrong in (["--seen-at", "yesterday"], ["--url", "https://example.org", "--time-zone", "Mars/Olympus"]):
        case("add", case.picture("a.jpg", b"a"), "--age", "adults", *wrong, code=1)
    assert case.json("list")["items"] == []


def test_add_says_what_a_new_item_is_a_copy_of(case: Case) -> None:
    case("add", case.picture("a.jpg", b"aaaa1"), "--age", "adults")
    shown = case(
        *("add", case.picture("b.jpg", b"bbbb1"), case.picture("c.jpg", b"aaaa2"), case.picture("d.jpg", b"bbbb2")),
        *("--age", "adults"),
    )
    assert "Item 3 shows the same as item 1 (distance 0" in shown
    assert "Item 4 shows the same as item 2, which is new too" in shown
    assert [g["items"] for g in case.json("groups")["groups"]] == [[1, 3], [2, 4]]
    assert "Group 1: 2 items" in case("groups", "--not-a-match", 1, 3)
    assert [g["items"] for g in case.json("groups")["groups"]] == [[2, 4]]
    assert len(case.json("groups", "--a-match", 1, 3)["groups"]) == 2


def test_an_image_is_kept_only_when_it_is_asked_for(case: Case) -> None:
    picture, out = case.picture("a.jpg", b"the bytes"), case.folder / "out.jpg"
    case("add", picture, "--age", "adults", "--keep-image")
    case("add", case.picture("b.jpg", b"others"), "--age", "adults")
    case("show", 1, "--save-image", out)
    assert out.read_bytes() == b"the bytes"
    assert out.stat().st_mode & 0o077 == 0
    case("show", 1, "--save-image", out, code=1)  # nothing is overwritten
    case("show", 2, "--save-image", case.folder / "none.jpg", code=1)
    assert not (case.folder / "none.jpg").exists()
    with case.book() as book:
        assert book.thumbnail(1) == b"veil"
        assert [r.action for r in book.log() if r.subject == "item 1"].count("exported") >= 1


def test_a_file_that_changes_meanwhile_is_not_recorded(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, whole = case.picture("a.jpg", b"before"), MadeUpScanner.fingerprint

    def changed(self: MadeUpScanner, path: str) -> Fingerprinted:
        picture.write_bytes(b"after")
        return whole(self, path)

    monkeypatch.setattr(MadeUpScanner, "fingerprint", changed)
    case("add", picture, "--age", "adults", code=1)
    assert "changed while" in case.err
    assert case.json("list")["items"] == []


def test_what_was_added_before_a_stop_is_kept(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [case.picture(f"{n}.jpg", b"%d" % n) for n in range(3)]
    monkeypatch.setattr(MadeUpScanner, "stop_after", 2)
    case("add", *pictures, "--age", "adults", code=cli.INTERRUPTED)
    assert "goes on with the rest" in case.err
    assert len(case.json("list")["items"]) == 2
    monkeypatch.setattr(MadeUpScanner, "stop_after", None)
    assert [a["item"] for a in case.json("add", *pictures, "--age", "adults")["added"]] == [3]


def test_reference_photos_are_remembered_and_looked_for_again(case: Case) -> None:
    folder = case.folder / "hers"
    folder.mkdir()
    for name, data in (("portrait.jpg", b"1"), ("copy.jpg", b"1"), ("other.jpg", b"2")):
        (folder / name).write_bytes(data)
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--references", folder)
    with case.book() as book:
        assert [r.label for r in book.references()] == ["copy.jpg", "other.jpg"]
    case("add", case.picture("b.jpg", b"b"), "--age", "adults")
    assert MadeUpScanner.options[0].references == (str(folder),)
    assert MadeUpScanner.options[1].references == (str(folder / "copy.jpg"), str(folder / "other.jpg"))


def test_options_may_stand_anywhere(case: Case) -> None:
    picture = case.picture("a.jpg", b"a")
    words = [str(case.file), "--age", "adults", str(picture), "--passphrase-file", str(case.secret)]
    assert cli.main(["case", "add", *words]) == 0
    assert cli.main(["case", "note", "--passphrase-file", str(case.secret), str(case.file), "text", "--item", "1"]) == 0
    case("list")  # takes what was printed so far
    assert len(case.json("list")["items"]) == 1


def test_show_tells_all_of_an_item_and_that_it_was_looked_at(case: Case) -> None:
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--url", "https://example.org/1", "--label", HOSTILE)
    case("note", f"the sofa\nis {HOSTILE}", "--item", 1)
    case("note", "A woman at a desk", "--describe", 1)
    shown = case("show", 1)
    for text in (
        "Likely synthetic",
        "--fingerprints",
        "A woman at a desk",
        "https://example.org/1",
        "note: the sofa is",
    ):
        assert text in shown
    assert "\u202e" not in shown
    assert "\0" not in shown
    assert "viewed item 1" in case("log")
    case("show", 99, code=1)
    assert "no item 99" in case.err


def test_fingerprints_are_shown_to_people_who_ask_for_them_and_always_in_json(case: Case) -> None:
    sha256, pdq = fingerprints(str(case.picture("a.jpg", b"a")))
    case("add", case.folder / "a.jpg", "--age", "adults", "--url", "https://example.org/1")
    for words in (("show", 1), ("log",)):
        plain, asked, for_programs = case(*words), case(*words, "--fingerprints"), case(*words, "--json")
        for fingerprint in (sha256, pdq):
            assert fingerprint not in plain
            assert fingerprint in asked
            assert fingerprint in for_programs
    assert sha256 not in case("list") + case("open") + case("groups")


def test_after_a_wrong_passphrase_and_with_the_code_the_next_step_is_said(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = case.picture("new", f"{WORDS} again".encode())
    new.chmod(0o600)
    code = case.json("passphrase", "--new-passphrase-file", new)["recovery_code"]
    typed = iter(["no such passphrase", f"{WORDS} again", code])
    monkeypatch.setattr(passphrase, "read", lambda *_: next(typed))
    assert cli.main(["case", "list", str(case.file)]) == 0
    assert "the same command with --recovery-code" in capsys.readouterr().err
    assert cli.main(["case", "list", str(case.file), "--recovery-code"]) == 0
    assert f"counterproof case passphrase {case.file} --recovery-code" in " ".join(capsys.readouterr().err.split())


def test_requests_and_answers(case: Case) -> None:
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--url", "https://example.org/1")
    made = case.json("request", "--to", "X", "--item", 1, "--sighting", 1, "--basis", "TIDA", "--channel", "form")
    assert (made["request"]["state"], made["request"]["due_at"]) == ("draft", None)
    assert "No answer is due." in case("open")
    sent = case.json("request", "--update", 1, "--sent-at", "2026-07-01 10:00", "--due", "48h", "--reference", "77")
    assert (sent["request"]["state"], sent["request"]["reference"]) == ("sent", "77")
    assert sent["request"]["due_at"] == "2026-07-03T10:00:00+01:00"
    assert case.json("request", "--update", 1, "--due", "2026-07-04")["request"]["due_at"].startswith(
        "2026-07-04T23:59:59"
    )
    changed = case.json("request", "--update", 1, "--to", "X", "--basis", "TIDA s.3", "--item", 1)["request"]
    assert (changed["recipient"], changed["legal_basis"], changed["item_ids"]) == ("X", "TIDA s.3", [1])
    assert (changed["channel"], changed["sighting_ids"], changed["reference"]) == ("form", [1], "77")
    with case.book() as book:
        assert [r.id for r in book.due()] == [1]
    assert "X (request 1) should have answered by 2026-07-04 23:59 +01:00." in case("open")
    case("answer", 1, "removed", "we removed it", "--at", "2026-07-05 09:00")
    shown = case("request")
    assert "to X: answered" in shown
    assert "2026-07-05 09:00 +01:00 answer: removed. we removed it" in shown
    assert case.json("request", "--update", 1, "--channel", "e-mail")["request"]["state"] == "answered"
    assert "No answer is due." in case("open")


def test_a_request_that_was_made_here_has_the_laws_own_clock(case: Case) -> None:
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--url", "https://x.com/a/status/1")
    with case.book() as book:
        form = '{"schema":"counterproof.request/1","law":"us_tida","platform":"x"}'
        book.new_packet(1, form, recipient="X", item_ids=[1], sighting_ids=[1])
        book.packet_built(1, "request-1a2b3c4d", "ab" * 32, law="us_tida", platform="x", channel="take_it_down")
    shown = case("request")
    assert "packet made: request-1a2b3c4d" in shown
    assert "form last saved" in shown
    record = case.json("request")["requests"][0]
    assert (record["packets"][0]["sha256"], record["form"]["law"]) == ("ab" * 32, "us_tida")
    assert "schema" not in json.dumps(record)  # the text of the form is for `export`
    sent = case.json("request", "--update", 1, "--sent-at", "2026-07-01 10:00")["request"]
    assert (sent["state"], sent["due_at"]) == ("sent", "2026-07-03T05:00:00-04:00")
    shown = case("open")
    assert "X (request 1) should have answered by 2026-07-03 10:00 +01:00 (the law says: " in shown
    assert "What you can do: Complain to: Federal Trade Commission (US)." in shown
    assert "check before sending" in shown
    (due,) = case.json("open")["due"]
    assert (due["limit"]["basis"], due["next_steps"][0]["platform_id"]) == ("law", "us_ftc")
    with case.book() as book:
        book.new_packet(1, '{"platform":"us_ftc"}', follows=1)
    assert "Federal Trade Commission" not in case("open")
    own = case.json("request", "--update", 1, "--sent-at", "2096-07-01 10:00", "--due", "9d")["request"]
    assert own["due_at"].startswith("2096-07-10")  # what a person says goes before the law
    assert "to answer." in case("open")


@pytest.mark.parametrize("wrong", ["yesterday", "2026-13-01", "12", "h", "-5h", "99999h"])
def test_a_time_that_is_none_is_not_recorded(case: Case, wrong: str) -> None:
    case("request", "--to", "X", f"--due={wrong}", code=1)
    assert "is not a time" in case.err
    case("sighting", "https://example.org", f"--seen-at={wrong}", code=1)
    case("sighting", "https://example.org", "--time-zone", "Mars/Olympus", code=1)
    assert "no time zone" in case.err or "time zone" in case.err
    assert case.json("request")["requests"] == case.json("sighting")["sightings"] == []


def test_deleting_asks_and_leaves_only_the_fact(case: Case) -> None:
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--url", "https://example.org/1")
    case("delete", 1, code=1)
    assert "--yes" in case.err
    assert len(case.json("list")["items"]) == 1
    for wrong in ([], [1, "--sighting", 1], ["--sighting", 1, "--maybe-minor"]):
        case("delete", *wrong, "--yes", code=1)
    case("delete", 1, "--yes")
    assert case.json("list")["items"] == case.json("sighting")["sightings"] == []
    assert "deleted item 1" in case("log")
    assert "deleted with the record" in case("log")
    assert case.json("verify")["verification"]["ok"] is True


def test_an_item_that_may_show_a_minor_after_all(case: Case) -> None:
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--url", "https://example.org/1")
    case("delete", 1, "--maybe-minor", "--yes")
    assert "Report Remove" in case.err  # of the incident's country
    (seen,) = case.json("sighting")["sightings"]
    assert (seen["url"], seen["maybe_minor"], seen["item_id"]) == ("https://example.org/1", True, None)
    case("sighting", "https://example.org/2", "--maybe-minor", "--item", 1, code=1)
    case("sighting", "https://example.org/2", "--maybe-minor")
    assert "text only, because someone may be under 18" in case("sighting")


def test_what_looks_like_it_is_named_when_an_item_goes(case: Case) -> None:
    for name, data in (("a.jpg", b"same 1"), ("b.jpg", b"same 2"), ("c.jpg", b"other"), ("d.jpg", b"same 3")):
        case("add", case.picture(name, data), "--age", "adults")
    case("groups", "--not-a-match", 1, 4)
    told = case("delete", 1, "--maybe-minor", "--yes")
    assert "These look like it, and are still there: item 2." in told
    assert "ITEM --maybe-minor" in told
    assert case.json("delete", 2, "--maybe-minor", "--yes")["alike"] == [4]
    assert "still there" not in case("delete", 4, "--maybe-minor", "--yes")
    assert [i["id"] for i in case.json("list")["items"]] == [3]


def test_several_incidents_are_told_apart(case: Case) -> None:
    case("incident", "--new", "--title", "Second")
    case("note", "text", code=1)
    assert "1: Fakes; 2: Second" in case.err
    case("note", "text", "--incident", 2)
    case("incident", "--incident", 2, "--wanted", "removal")
    assert [i["wanted"] for i in case.json("incident")["incidents"]] == ["", "removal"]
    case("add", case.picture("a.jpg", b"a"), "--age", "adults", "--incident", 2)
    case("request", "--to", "X", "--item", 1)  # the item says which
    assert [r["incident_id"] for r in case.json("request")["requests"]] == [2]


def test_consents_and_contacts(case: Case) -> None:
    case("consent", "Ana", "--role", "lawyer", "--authority", "letter of 3 November", "--given-at", "2026-11-03")
    case("consent", "--withdraw", 1)
    assert "Ana (lawyer; authority: letter of 3 November), from 2026-11-03 00:00 +00:00, withdrawn" in case("consent")
    case("contact", "Trust team", "--address", "ts@example.org")
    assert "Trust team, ts@example.org" in case("contact")
    changed = case.json("contact", "--update", 1, "--role", "moderators", "--address", "")["contact"]
    assert (changed["name"], changed["role"], changed["address"]) == ("Trust team", "moderators", "")
    case("contact", "--update", 9, "--role", "x", code=1)


def test_a_note_from_standard_input(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("two\nlines\n")
    with open(tmp_path / "note") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert case.json("note")["note"]["text"] == "two\nlines"
        case("note", code=1)  # nothing is left to read
    assert "nothing to write down" in case.err


def test_backup_export_and_compact(case: Case) -> None:
    case("note", "a note")
    backup, out = case.folder / "backup.case", case.folder / "out.json"
    case("backup", backup)
    case("export", out)
    assert "NOT encrypted" in case("export", case.folder / "out2.json")
    assert "a note" in out.read_text()
    case("backup", backup, code=1)
    case("export", out, code=1)
    case("compact")
    case.file = backup
    assert "All is whole" in case("verify")


def test_changing_the_passphrase_changes_the_code_too(case: Case) -> None:
    new = case.folder / "new"
    new.write_text("quiet anvil harbour seven")
    new.chmod(0o600)
    code = case.json("passphrase", "--new-passphrase-file", new)["recovery_code"]
    case("list", code=1)
    assert "not the passphrase" in case.err
    case.secret = new
    case("list")
    new.write_text(code)
    case("list", "--recovery-code")


def test_a_log_that_was_cut_off_is_said_and_where(case: Case) -> None:
    head = case.json("verify")["verification"]["head"]
    case("note", "later")
    assert case.json("verify", "--head", head)["verification"]["ok"] is True
    later = case.json("verify")["verification"]["head"]
    wrong = later[:-1] + ("0" if later[-1] != "0" else "1")
    assert case.json("verify", "--head", wrong, code=1)["verification"]["ok"] is False
    assert "NOT AS IT WAS LEFT" in case("verify", "--head", wrong, code=1)


@pytest.mark.parametrize("data", [b"", b"not a casebook at all, but a text of some length" * 99])
def test_what_is_no_casebook_is_said_in_words(case: Case, data: bytes) -> None:
    case.file = case.picture("other.case", data)
    case.secret.unlink()  # so that asking for the passphrase first would be another error
    case("open", code=1)
    assert "not a casebook" in case.err or "damaged" in case.err
    assert case.err.strip()
    assert "Traceback" not in case.err
    assert case.file.read_bytes() == data
    case.file = case.folder / "none.case"
    case("open", code=1)
    assert not case.file.exists()


def test_times_are_shown_in_the_local_zone_with_its_offset() -> None:
    with in_zone("America/Mexico_City"):
        assert case_show.local("2026-11-24T18:00:30+00:00") == "2026-11-24 12:00 -06:00"
        assert case_show.local_zone() == "America/Mexico_City"
        assert case_show.moment("2026-11-24 12:00", "America/Mexico_City") == "2026-11-24T12:00:00-06:00"
        assert case_show.moment("2026-11-24T12:00+01:00", "UTC") == "2026-11-24T12:00:00+01:00"
        assert case_show.due("7d", "UTC", "2026-11-24T12:00:00+00:00") == "2026-12-01T12:00:00+00:00"
        soon = datetime.fromisoformat(case_show.due("1h", "UTC", None)) - datetime.fromisoformat(case_show.now())
        assert timedelta(minutes=59) < soon <= timedelta(hours=1)
    with in_zone("CET-1CEST"):  # a rule, and no name of a place
        assert case_show.local_zone() == "UTC"


def test_a_mistyped_head_is_no_alarm(case: Case) -> None:
    assert "NOT AS IT WAS LEFT" not in case("verify", "--head", "21-RYY6", code=1)
    assert "not the head of a log" in case.err
    assert "letter by letter" in case("verify", "--head", "1-AAAA-AAAA-AAAA-AAAA", code=1)


def test_a_request_without_a_recipient_and_a_sighting_without_words_are_refused(case: Case) -> None:
    for words in (("--sent-at", "now", "--due", "48h"), ("--to", "")):
        case("request", *words, code=1)
        assert "whom you ask" in case.err
    case("sighting", "", code=1)
    assert "nothing to write down" in case.err
    assert case.json("request")["requests"] == case.json("sighting")["sightings"] == []


def test_times_of_another_century_are_refused_and_small_slips_understood(case: Case) -> None:
    for slip in ("0001-01-01", "9999-12-31 23:59", "0202-11-24 18:30"):
        case("sighting", "https://example.org/1", "--seen-at", slip, code=1)
        assert "not a time" in case.err
        case("request", "--to", "X", "--due", slip, code=1)
    seen = case.json("sighting", "https://example.org/1", "--seen-at", " 2026-07-01 6:30 ")["sighting"]
    assert seen["seen_at"] == "2026-07-01T06:30:00+01:00"


def test_a_time_at_the_ends_of_time_does_not_hide_the_rest(case: Case) -> None:
    case("add", case.picture("a.jpg", b"a"), "--age", "adults")
    with case.book() as book:
        for year, zone in (("0001-01-01", "America/New_York"), ("9999-12-31", "Asia/Tokyo")):
            book.add_sighting(1, "https://example.org/1", item_id=1, seen_at=f"{year}T12:00:00+00:00", time_zone=zone)
            book.add_sighting(1, "https://example.org/2", item_id=1, seen_at=f"{year}T23:00:00-14:00", time_zone=zone)
    assert case("sighting").count("https://") == 4
    assert case("show", 1).count("https://") == 4


def test_a_passphrase_file_may_begin_with_a_byte_order_mark(case: Case) -> None:
    case.secret.write_bytes(b"\xef\xbb\xbf" + f"{WORDS}\r\n".encode())
    case("list")
    case.secret.write_bytes(b"\xef\xbb\xbf\r\n")
    case("list", code=1)
    assert "is empty" in case.err


def test_the_uk_is_gb(case: Case) -> None:
    case("incident", "--country", "uk")
    assert case.json("incident")["incidents"][0]["country"] == "GB"


def test_a_folder_that_cannot_be_written_is_named_and_not_the_casebook(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(database, "_new_file", refused)
    for verb in ("backup", "export"):
        case(verb, case.folder / "stick" / "copy", code=1)
        assert f"The folder {case.folder / 'stick'} cannot be written." in " ".join(case.err.split())
