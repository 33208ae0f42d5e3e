"""The custody log: every change is in it, and what was done to it with a SQL shell, key in hand, is named."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from desktop.casebook import custody, database, keys
from desktop.casebook.casebook import Casebook
from desktop.casebook.records import CasebookError, RequestState, Verification
from detectors.report import View
from tests.casebook_kill import CHEAP, numbered_report

PASSPHRASE = "four unrelated dull words"  # noqa: S105
VIEWS = (View("whole", (0, 0, 1024, 768), "ab" * 32, 100),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "her.casebook"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed casebook, of which every test gets a copy."""
    path = tmp_path_factory.mktemp("template") / "her.casebook"
    made, _ = Casebook.create(path, PASSPHRASE, "Ada", _cost=CHEAP)
    with made:
        made.add_incident("An incident")
        for number in range(3):
            made.add_item(1, numbered_report(number), VIEWS, label=f"label {number}", image=b"bytes of a picture")
        for number in range(4):
            made.add_note(1, f"note {number}")
    return path


@pytest.fixture
def casebook(template: Path, path: Path) -> Iterator[Casebook]:
    shutil.copy(template, path)
    with Casebook.open(path, PASSPHRASE, "Ada") as opened:
        yield opened


def sql(casebook: Casebook, *statements: str) -> None:
    """What somebody with the key and a SQL shell could do."""
    db = casebook._db()
    db.execute("PRAGMA foreign_keys = OFF")
    for statement in statements:
        db.execute(statement)
    db.execute("PRAGMA foreign_keys = ON")


def reopened(casebook: Casebook) -> Verification:
    """The verdict after closing and opening, so that nothing in memory helps."""
    casebook.close()
    with Casebook.open(casebook.path, PASSPHRASE, "Ada") as again:
        return again.verify()


def decrypted(path: Path) -> bytes:
    """Every page of a closed file, decrypted, free ones and slack too: AES-256-CBC, its IV in the last 80 bytes."""
    data = path.read_bytes()
    key = keys.key_from_passphrase(PASSPHRASE, data[:16])
    out = []
    for start in range(0, len(data), 4096):
        page = data[start : start + 4096]
        cipher = Cipher(algorithms.AES(key.secret), modes.CBC(page[4016:4032])).decryptor()
        out.append(cipher.update(page[16 if start == 0 else 0 : 4016]))
    return b"".join(out)


def found_in(data: bytes, secrets: list[str]) -> list[str]:
    """Which of these are there, as text, or as bytes where they are hex."""
    forms = {
        s: [s.encode(), *([bytes.fromhex(s)] if len(s) % 2 == 0 and set(s) <= set("0123456789abcdef") else [])]
        for s in secrets
    }
    return [s for s in secrets if any(form in data for form in forms[s])]


# Every change is logged


def everything(casebook: Casebook) -> list[tuple[str, Callable[[], object], set[tuple[str, str]]]]:
    """Each change there is, with the rows that it must leave. In an order that works."""
    item = numbered_report(20)
    return [
        ("add_incident", lambda: casebook.add_incident("b"), {("added", "incident 2")}),
        ("update_incident", lambda: casebook.update_incident(2, wanted="gone"), {("changed", "incident 2")}),
        ("add_consent", lambda: casebook.add_consent(1, "staff"), {("added", "consent 1")}),
        ("withdraw_consent", lambda: casebook.withdraw_consent(1), {("changed", "consent 1")}),
        ("add_item", lambda: casebook.add_item(1, item), {("added", "item 4")}),
        ("describe_item", lambda: casebook.describe_item(4, "in words"), {("changed", "item 4")}),
        ("keep_image", lambda: casebook.keep_image(4, b"bytes"), {("added", "image 4")}),
        ("viewed", lambda: casebook.viewed(4), {("viewed", "item 4")}),
        ("revealed", lambda: casebook.revealed(4), {("revealed", "item 4")}),
        ("image", lambda: casebook.image(4), {("exported", "item 4")}),
        ("image_to_reveal", lambda: casebook.image_to_reveal(4), {("revealed", "item 4")}),
        (
            "add_sighting",
            lambda: casebook.add_sighting(1, "https://a.example", item_id=4, screenshot=b"shot"),
            {("added", "sighting 1"), ("added", "image 5")},
        ),
        ("screenshot", lambda: casebook.screenshot(1), {("exported", "sighting 1")}),
        ("screenshot_to_reveal", lambda: casebook.screenshot_to_reveal(1), {("revealed", "sighting 1")}),
        (
            "keep_screenshot",
            lambda: casebook.keep_screenshot(1, b"another"),
            {("deleted", "image 5"), ("added", "image 6")},
        ),
        (
            "add_request",
            lambda: casebook.add_request(1, "a platform", item_ids=[4], sighting_ids=[1]),
            {("added", "request 1"), ("requested", "item 4")},
        ),
        ("update_request", lambda: casebook.update_request(1, reference="17"), {("changed", "request 1")}),
        (
            "add_answer",
            lambda: casebook.add_answer(1, "removed"),
            {("added", "answer 1"), ("changed", "request 1")},
        ),
        ("add_contact", lambda: casebook.add_contact(1, "a lawyer"), {("added", "contact 1")}),
        ("update_contact", lambda: casebook.update_contact(1, role="counsel"), {("changed", "contact 1")}),
        ("add_reference", lambda: casebook.add_reference(1, "/a/b.jpg"), {("added", "reference 1")}),
        ("update_reference", lambda: casebook.update_reference(1, label="portrait"), {("changed", "reference 1")}),
        (
            "new_packet",
            lambda: casebook.new_packet(1, "{}", item_ids=[1], sighting_ids=[1]),
            {("added", "request 2"), ("requested", "item 1")},
        ),
        ("save_packet_form", lambda: casebook.save_packet_form(1, "{}"), {("form edited", "request 1")}),
        ("packet_built", lambda: casebook.packet_built(2, "request-1", "00" * 32), {("packet built", "packet 1")}),
        ("delete_packet_form", lambda: casebook.delete_packet_form(1), {("form deleted", "request 1")}),
        ("add_note", lambda: casebook.add_note(1, "words"), {("added", "note 5")}),
        (
            "not_a_match",
            lambda: casebook.not_a_match(1, 4),
            {("marked as no match", "item 1"), ("marked as no match", "item 4")},
        ),
        (
            "export",
            lambda: casebook.export(casebook.path.with_name("e.json")),
            {("exported", "casebook"), *(("exported", f"item {n}") for n in range(1, 5))},
        ),
        ("backup", lambda: casebook.backup(casebook.path.with_name("b")), {("backed up", "casebook")}),
        ("compact", casebook.compact, {("compacted", "casebook")}),
        ("change_passphrase", lambda: casebook.change_passphrase(PASSPHRASE), {("passphrase changed", "casebook")}),
        ("delete_sighting", lambda: casebook.delete_sighting(1), {("deleted", "sighting 1")}),
        ("delete_item", lambda: casebook.delete_item(4), {("deleted", "item 4")}),
        ("mark_maybe_minor", lambda: casebook.mark_maybe_minor(3), {("deleted", "item 3")}),
    ]


def test_each_change_leaves_its_rows(casebook: Casebook) -> None:
    tried = set()
    for name, call, expected in everything(casebook):
        before = casebook.overview().log_rows
        call()
        rows = list(casebook.log(before))
        assert {(row.action, row.subject) for row in rows} == expected, name
        assert all(row.actor == "Ada" for row in rows)
        assert casebook.verify().ok, name
        tried.add(name)
    reading = {"incidents", "incident", "consents", "items", "item", "find_items", "thumbnail", "sightings", "request"}
    reading |= {"answers", "requests", "due", "contacts", "references", "notes", "timeline", "log", "wrong_matches"}
    reading |= {"overview", "verify", "set_aside", "screenshot_thumbnail", "check_secret"}
    reading |= {"packets", "packet_form", "packet_forms", "signing_key", "log_about"}
    same = {"add_items", "add_sightings", "create", "open", "open_with_code", "look", "close"}
    public = {name for name in dir(Casebook) if not name.startswith("_")}
    assert tried == public - reading - same


def test_rows_name_the_fingerprints_concerned(casebook: Casebook) -> None:
    sha256 = hashlib.sha256(b"picture 0").hexdigest()
    before = casebook.overview().log_rows
    casebook.viewed(1)
    casebook.revealed(1)
    casebook.add_note(1, "on it", item_id=1)
    casebook.image(1)
    casebook.export(casebook.path.with_name("e.json"))
    casebook.add_request(1, "a platform", item_ids=[1])
    rows = [row for row in casebook.log(before) if row.subject in ("item 1", "note 5")]
    assert len(rows) == 6
    assert all(row.details is not None and row.details["sha256"] == sha256 for row in rows)


def test_a_change_that_fails_leaves_no_row(casebook: Casebook) -> None:
    before = casebook.verify()
    for call in (
        lambda: casebook.add_item(9, numbered_report(1)),
        lambda: casebook.add_note(1, "x", item_id=99),
        lambda: casebook.describe_item(99, "x"),
        lambda: casebook.not_a_match(1, 1),
        lambda: casebook.add_sighting(1, "u", item_id=1, maybe_minor=True),
        lambda: casebook.export(casebook.path),
    ):
        with pytest.raises(CasebookError):
            call()
    assert casebook.verify() == before


# Tampering with the log. Rows: 1 created, 2 incident, 3 to 8 items and images, 9 to 12 notes.


@pytest.mark.parametrize("column", ["at", "actor", "action", "subject", "details", "commitment", "previous", "digest"])
def test_a_changed_row_is_named(casebook: Casebook, column: str) -> None:
    value = "zeroblob(32)" if column in ("commitment", "previous", "digest") else "'{}'"
    sql(casebook, f"UPDATE log SET {column} = {value} WHERE seq = 5")
    verified = reopened(casebook)
    assert not verified.ok
    # With another digest, the row after it no longer follows either.
    assert verified.problems[0].startswith(("Row 5 of", "The details of row 5 of")), verified.problems
    assert verified.head == ""


def test_a_missing_row_is_named(casebook: Casebook) -> None:
    sql(casebook, "DELETE FROM log WHERE seq = 5")
    assert reopened(casebook).problems[0] == "Row 5 is missing from the custody log."


def test_missing_rows_are_named(casebook: Casebook) -> None:
    sql(casebook, "DELETE FROM log WHERE seq BETWEEN 5 AND 7")
    assert reopened(casebook).problems[0] == "Rows 5 to 7 are missing from the custody log."


def test_a_missing_row_that_the_numbers_hide_is_named(casebook: Casebook) -> None:
    sql(casebook, "DELETE FROM log WHERE seq = 5", "UPDATE log SET seq = -seq WHERE seq > 5")
    sql(casebook, "UPDATE log SET seq = -seq - 1 WHERE seq < 0")
    verified = reopened(casebook)
    assert verified.problems[0] == (
        "Row 5 of the custody log was put in the place of another: it was written as row 6."
    )


def test_reordered_rows_are_named(casebook: Casebook) -> None:
    sql(casebook, "UPDATE log SET seq = -5 WHERE seq = 5", "UPDATE log SET seq = 5 WHERE seq = 7")
    sql(casebook, "UPDATE log SET seq = 7 WHERE seq = -5")
    verified = reopened(casebook)
    assert verified.problems[:2] == (
        "Row 5 of the custody log was put in the place of another: it was written as row 7.",
        "Row 7 of the custody log was put in the place of another: it was written as row 5.",
    )


def test_a_cut_off_end_is_named(casebook: Casebook) -> None:
    sql(casebook, "DELETE FROM log WHERE seq > 10", "DELETE FROM note WHERE id > 2")
    casebook.close()
    with Casebook.open(casebook.path, PASSPHRASE, "Ada") as again:
        expected = "The end of the custody log is cut off: Rows 11 to 12 are missing."
        assert again.notices == (expected,)
        assert expected in again.verify().problems


def test_an_emptied_log_is_noticed(casebook: Casebook) -> None:
    sql(casebook, "DELETE FROM log")
    assert "The end of the custody log is cut off: Rows 1 to 12 are missing." in reopened(casebook).problems
    sql_gone = Casebook.open(casebook.path, PASSPHRASE, "Ada")
    sql(sql_gone, "DELETE FROM head")
    assert "The head of the custody log is missing." in reopened(sql_gone).problems


def test_a_forged_head_is_noticed(casebook: Casebook) -> None:
    digest = casebook._db().execute("SELECT digest FROM log WHERE seq = 10").fetchone()[0]
    sql(casebook, "DELETE FROM log WHERE seq > 10", f"UPDATE head SET rows = 10, digest = x'{digest.hex()}'")
    assert "The head of the custody log is forged: its signature does not fit." in reopened(casebook).problems


def test_a_swapped_signing_key_is_noticed(casebook: Casebook) -> None:
    db = casebook._db()
    sql(casebook, "UPDATE meta SET value = randomblob(32) WHERE name = 'signing_key'")
    count, digest = db.execute("SELECT rows, digest FROM head").fetchone()
    custody._sign(db, count, digest)
    assert "Row 1 of the custody log was replaced" in reopened(casebook).problems[0]
    again = Casebook.open(casebook.path, PASSPHRASE, "Ada")
    sql(again, "DELETE FROM meta")
    assert any("the keys of its custody log" in p for p in reopened(again).problems)


def test_a_shortened_log_that_was_signed_anew_is_noticed_by_a_packet(casebook: Casebook) -> None:
    """Whoever has the passphrase can do this perfectly; a head that left the house shows it."""
    printed = casebook.verify().head
    early = casebook.verify().head
    casebook.add_note(1, "later")
    later = casebook.verify().head
    assert casebook.verify(printed).ok
    assert casebook.verify(printed.lower() + " ").ok
    db = casebook._db()
    sql(casebook, "DELETE FROM log WHERE seq > 12", "DELETE FROM note WHERE id > 4")
    last = db.execute("SELECT digest FROM log WHERE seq = 12").fetchone()[0]
    custody._sign(db, 12, last)
    assert casebook.verify().ok
    assert casebook.verify(early).ok
    assert casebook.verify(later).problems == (
        "The custody log no longer has row 13, after which the packet was made: its end was cut off.",
    )
    casebook.add_note(1, "another story")
    assert casebook.verify(later).problems == (
        "The custody log up to row 13 is not the one from which the packet was made.",
    )
    assert not casebook.verify("nonsense").ok


def test_a_row_that_was_sealed_anew_is_named(casebook: Casebook) -> None:
    db = casebook._db()
    seq, at, _, action, subject, commitment, previous = db.execute(
        "SELECT seq, at, actor, action, subject, commitment, previous FROM log WHERE seq = 5"
    ).fetchone()
    digest = custody._digest(previous, seq, at, "somebody else", action, subject, commitment)
    db.execute("UPDATE log SET actor = 'somebody else', digest = ? WHERE seq = 5", [digest])
    assert reopened(casebook).problems[0] == "Row 5 of the custody log was replaced: row 6 was written after another."


def test_rows_beyond_the_head_are_noticed(casebook: Casebook) -> None:
    sql(
        casebook,
        "INSERT INTO log SELECT 13, at, actor, action, subject, NULL, NULL, commitment, previous, digest "
        "FROM log WHERE seq = 12",
    )
    assert any("its head does not know" in p for p in reopened(casebook).problems)


def test_details_that_were_erased_without_a_deletion_are_noticed(casebook: Casebook) -> None:
    sql(casebook, "UPDATE log SET details = NULL, salt = NULL WHERE seq = 3")
    assert reopened(casebook).problems == (
        "The details of row 3 of the custody log (item 1) were erased without a deletion.",
        "The record item 1 is not as the custody log has it: it was changed.",
    )


# Tampering with records


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE note SET text = 'other' WHERE id = 2", "The record note 2 is not as the custody log has it"),
        ("UPDATE item SET sha256 = 'ff' WHERE id = 1", "The record item 1 is not as the custody log has it"),
        ("UPDATE image SET bytes = x'00' WHERE id = 1", "The record image 1 is not as the custody log has it"),
        ("DELETE FROM note WHERE id = 3", "The record note 3 is in the custody log and not in the casebook"),
        (
            "INSERT INTO note (incident_id, text, at, actor) VALUES (1, 'new', '', '')",
            "The custody log knows nothing of note 5",
        ),
    ],
)
def test_a_record_that_was_changed_past_the_log_is_named(casebook: Casebook, statement: str, problem: str) -> None:
    sql(casebook, statement)
    verified = reopened(casebook)
    assert len(verified.problems) == 1
    assert verified.problems[0].startswith(problem)


# Deletion


def test_deletion_leaves_nothing_of_the_item(casebook: Casebook, path: Path) -> None:
    report = numbered_report(77)
    assert report.analysis is not None
    item = casebook.add_item(
        1,
        report,
        (View("region", (1, 2, 3, 4), "9f" * 32, 88),),
        label="gone-label",
        image=b"gone-pixels" * 50,
        thumbnail=b"gone-thumbnail",
    )
    casebook.describe_item(item.id, "gone-description")
    casebook.add_note(1, "gone-note", item_id=item.id)
    casebook.viewed(item.id)
    casebook.image(item.id)
    sighting = casebook.add_sighting(1, "https://gone.example/url", item_id=item.id, screenshot=b"gone-screenshot" * 9)
    casebook.add_note(1, "gone-too-note", sighting_id=sighting.id)
    request = casebook.add_request(1, "kept-recipient", item_ids=[item.id], sighting_ids=[sighting.id])
    casebook.not_a_match(1, item.id)
    hashes = report.analysis.hashes
    secrets = [hashes.sha256, hashes.md5, str(hashes.pdq), str(hashes.phash), "9f" * 32]
    secrets += ["gone-label", "gone-description", "gone-note", "gone-too-note", "gone-pixels", "gone-screenshot"]
    secrets += ["gone-thumbnail", "https://gone.example", hashlib.sha256(b"gone-pixels" * 50).hexdigest()]
    copy = path.with_name("before")
    casebook.backup(copy)
    assert found_in(decrypted(copy), secrets) == secrets

    casebook.delete_item(item.id)
    row = list(casebook.log())[-1]
    assert (row.action, row.subject) == ("deleted", f"item {item.id}")
    assert row.details is not None
    assert set(row.details) == {"with", "erased"}
    assert casebook.verify().ok
    # What the file holds at once, without closing it: the journal was folded in.
    assert database.journal_bytes(path) == 0
    assert casebook.request(request.id).item_ids == ()
    assert casebook.request(request.id).recipient == "kept-recipient"
    for gone in (lambda: casebook.item(item.id), lambda: casebook.image(item.id), lambda: casebook.thumbnail(item.id)):
        with pytest.raises(CasebookError, match="no_such_record"):
            gone()
    casebook.close()
    assert found_in(decrypted(path), [*secrets, "kept-recipient"]) == ["kept-recipient"]
    with Casebook.open(path, PASSPHRASE, "Ada") as again:
        assert again.verify().ok
        assert again.add_item(1, numbered_report(78)).id == item.id + 1


def test_an_item_that_may_show_a_minor_leaves_text_only(casebook: Casebook, path: Path) -> None:
    sighting = casebook.add_sighting(
        1, "https://a.example/1", item_id=2, platform="P", handle="@h", note="gone-note", screenshot=b"gone-shot"
    )
    casebook.mark_maybe_minor(2)
    kept = casebook.sightings()
    assert [(s.id, s.url, s.platform, s.handle, s.seen_at) for s in kept] == [
        (sighting.id, "https://a.example/1", "P", "@h", sighting.seen_at)
    ]
    assert kept[0].item_id is None
    assert kept[0].maybe_minor
    assert not kept[0].has_screenshot
    assert casebook.verify().ok
    casebook.close()
    gone = [hashlib.sha256(b"picture 1").hexdigest(), "gone-note", "gone-shot", "label 1"]
    assert found_in(decrypted(path), [*gone, "https://a.example/1"]) == ["https://a.example/1"]


def test_no_picture_comes_to_a_sighting_that_may_show_a_minor(casebook: Casebook) -> None:
    for forbidden in ({"item_id": 1}, {"screenshot": b"x"}):
        with pytest.raises(CasebookError, match="maybe_minor"):
            casebook.add_sighting(1, "https://a.example", maybe_minor=True, **forbidden)  # type: ignore[arg-type]
    sighting = casebook.add_sighting(1, "https://a.example", maybe_minor=True)
    other = casebook.add_sighting(1, "https://b.example", screenshot=b"shot")
    db = casebook._db()
    for statement in (
        f"UPDATE sighting SET item_id = 1 WHERE id = {sighting.id}",
        f"INSERT INTO image (sighting_id, kind, media_type, bytes) VALUES ({sighting.id}, 'screenshot', '', x'00')",
        f"UPDATE sighting SET maybe_minor = 1 WHERE id = {other.id}",
    ):
        with pytest.raises(Exception, match=r"maybe_minor|CHECK constraint"):
            db.execute(statement)
    with pytest.raises(CasebookError, match="no_such_record"):
        casebook.screenshot(sighting.id)


def test_a_settled_request_is_not_due(casebook: Casebook) -> None:
    at = "2026-11-26T10:00:00+01:00"
    sent = casebook.add_request(1, "sent", due_at=at, state=RequestState.SENT)
    late = casebook.add_request(1, "later", due_at="2026-11-26T09:30:00+00:00", state=RequestState.ACKNOWLEDGED)
    casebook.add_request(1, "draft", due_at=at)
    casebook.add_request(1, "undated", state=RequestState.SENT)
    assert [r.id for r in casebook.due()] == [sent.id, late.id]
    assert [r.id for r in casebook.due("2026-11-26T09:15:00+00:00")] == [sent.id]
    casebook.add_answer(sent.id, "refused", state=RequestState.REFUSED)
    assert [r.id for r in casebook.due()] == [late.id]
    assert casebook.update_request(late.id, due_at="").due_at is None
    assert casebook.due() == []


# What a row says, and how the file is laid out


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM request_item WHERE item_id = 1", "item 1 and request 1"),
        ("INSERT INTO request_item VALUES (1, 3)", "item 3 and request 1"),
        ("DELETE FROM request_sighting", "request 1 and sighting 1"),
        ("DELETE FROM wrong_match", "item 1 and item 2"),
        ("INSERT INTO wrong_match VALUES (2, 3)", "item 2 and item 3"),
        ("CREATE TRIGGER t AFTER INSERT ON sighting BEGIN UPDATE sighting SET url = ''; END", "trigger t"),
        ("DROP TRIGGER image_of_a_minor_added", "trigger image_of_a_minor_added"),
        ("CREATE TABLE more (a)", "table more"),
        ("UPDATE log SET details = 'x' WHERE seq = 3", "The details of row 3"),
        ("UPDATE log SET details = '[]' WHERE seq = 3", "The details of row 3"),
        ("UPDATE log SET action = 'deleted', details = '7' WHERE seq = 3", "Row 3"),
        ('UPDATE log SET details = \'{"with": [[]], "items": [[]], "record": []}\' WHERE seq = 3', "row 3"),
    ],
)
def test_links_layout_and_what_is_no_detail_are_named(casebook: Casebook, statement: str, named: str) -> None:
    seen = casebook.add_sighting(1, "https://a.example", item_id=1)
    casebook.add_request(1, "a platform", item_ids=[1, 2], sighting_ids=[seen.id])
    casebook.not_a_match(1, 2)
    casebook.not_a_match(1, 3)
    casebook.not_a_match(3, 1, wrong=False)
    assert casebook.verify().ok
    sql(casebook, statement)
    problems = reopened(casebook).problems
    assert any(named in p for p in problems), problems


def test_links_to_what_was_deleted_are_not_missed(casebook: Casebook) -> None:
    seen = [casebook.add_sighting(1, "https://a.example", item_id=n) for n in (1, 2, 3)]
    casebook.add_request(1, "a platform", item_ids=[1, 2, 3, 3], sighting_ids=[s.id for s in seen])
    for pair in ((1, 2), (2, 3), (1, 3)):
        casebook.not_a_match(*pair)
    for call in (
        lambda: casebook.delete_sighting(3),
        lambda: casebook.mark_maybe_minor(1),
        lambda: casebook.delete_item(2),
    ):
        call()
        assert casebook.verify().problems == ()
    assert reopened(casebook).problems == ()


@pytest.mark.parametrize("number", [0, -5, -(1 << 63), 1 << 62, (1 << 63) - 1])
def test_a_row_with_an_impossible_number_is_named(casebook: Casebook, number: int) -> None:
    sql(
        casebook,
        f"INSERT INTO log SELECT {number}, at, actor, 'z', subject, details, salt, commitment, previous, digest"
        " FROM log WHERE seq = 3",
    )
    assert any("added" in p or str(number) in p for p in reopened(casebook).problems)


def test_who_is_at_work_need_not_be_unicode(path: Path) -> None:
    with Casebook.create(path, PASSPHRASE, "A\udcff", _cost=CHEAP)[0] as made:
        made.add_incident("x")
        assert made.verify().ok
        assert {row.actor for row in made.log()} == {"A\\udcff"}


def test_the_same_picture_goes_everywhere_when_someone_may_be_under_18(casebook: Casebook) -> None:
    other = casebook.add_incident("another").id
    again = casebook.add_item(other, numbered_report(0), VIEWS, image=b"bytes of that picture")
    casebook.add_sighting(other, "https://a.example", item_id=again.id, note="what it shows")
    casebook.mark_maybe_minor(1)
    assert [item.id for item in casebook.items()] == [2, 3]
    assert [(s.url, s.note, s.maybe_minor) for s in casebook.sightings(other)] == [("https://a.example", "", True)]
    assert reopened(casebook).ok
    sha256 = hashlib.sha256(b"picture 0").hexdigest()
    assert found_in(decrypted(casebook.path), [sha256, "bytes of that picture", "what it shows"]) == []
