"""Forms of requests, the packets made of them, and how a casebook of before them is brought up to date."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop.casebook import database, keys, migrations, store, tables
from desktop.casebook.alike import alike_left
from desktop.casebook.casebook import Casebook
from desktop.casebook.records import CasebookError, RequestState
from detectors.report import View
from tests.casebook_kill import CHEAP, numbered_report
from tests.unit.test_casebook_custody import decrypted, found_in
from tests.unit.test_casebook_file import killed, no_growth

PASSPHRASE = "four unrelated dull words"  # noqa: S105
SHA256 = {n: str(numbered_report(n).sha256) for n in range(3)}


def form(*items: int, **more: object) -> str:
    """A form about these items, as `desktop.packets.request.to_json` writes it: the id 1 is left out."""
    listed = [{"label": "L", "sha256": SHA256[n - 1], **({"id": n} if n != 1 else {})} for n in items]
    seen = [{"item": n, "url": f"https://a.example/{n}"} for n in items]
    return json.dumps({"schema": "counterproof.request/1", "item": listed, "sighting": seen, **more})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A casebook with three items, each seen once, and a request with a form about the first two."""
    path = tmp_path_factory.mktemp("template") / "her.casebook"
    made, _ = Casebook.create(path, PASSPHRASE, "Ada", _cost=CHEAP)
    with made:
        made.add_incident("An incident")
        for number in range(3):
            item = made.add_item(1, numbered_report(number), label=f"label {number}")
            made.add_sighting(1, f"https://a.example/{item.id}", item_id=item.id)
        made.new_packet(1, form(1, 2), step="where", recipient="X", item_ids=[1, 2], sighting_ids=[1, 2])
    return path


@pytest.fixture
def casebook(template: Path, tmp_path: Path) -> Iterator[Casebook]:
    path = tmp_path / "her.casebook"
    shutil.copy(template, path)
    with Casebook.open(path, PASSPHRASE, "Ada") as opened:
        yield opened


def refused(code: str) -> pytest.RaisesExc[CasebookError]:
    return pytest.raises(CasebookError, match=f"^{code}:")


def reopened(casebook: Casebook) -> Casebook:
    casebook.close()
    return Casebook.open(casebook.path, PASSPHRASE, "Bo")


# Forms and packets


def test_a_form_is_taken_up_where_it_was_left(casebook: Casebook) -> None:
    request = casebook.request(1)
    assert (request.state, request.recipient, request.item_ids) == (RequestState.DRAFT, "X", (1, 2))
    text = form(1, 2, law="us_tida", platform="x", texts={"reason": "Ünïcode ✓"})
    saved = casebook.save_packet_form(1, text, "sign")
    assert saved == casebook.packet_form(1) == casebook.packet_forms(1)[0]
    assert (saved.form, saved.step, saved.law, saved.platform, saved.channel) == (text, "sign", "us_tida", "x", "")
    assert (saved.request_id, saved.incident_id, saved.follows, saved.built_name) == (1, 1, None, None)
    built = casebook.packet_built(1, "request-1a2b3c4d", "ab" * 32, "9-AAAA", law="us_tida", platform="x", channel="f")
    casebook.packet_built(1, "request-2", "cd" * 32)
    assert casebook.packets(1)[0] == built
    assert (built.name, built.law, built.platform, built.channel) == ("request-1a2b3c4d", "us_tida", "x", "f")
    last = casebook.packet_form(1)
    assert (last.built_name, last.built_sha256, bool(last.built_at)) == ("request-2", "cd" * 32, True)
    with reopened(casebook) as again:
        assert again.packet_form(1) == last
        assert len(again.packets()) == 2
        assert again.verify().ok


def test_saving_a_form_is_logged_once_for_each_opening(casebook: Casebook) -> None:
    other = casebook.new_packet(1, "{}", follows=1)
    for number in range(200):
        casebook.save_packet_form(1, form(1, texts={"reason": "typing" + "." * number}))
        casebook.save_packet_form(other.id, "{}")
    rows = [(r.action, r.subject) for r in casebook.log() if "form" in r.action]
    assert rows == [("form edited", "request 1")]  # the other was begun in this opening: that row says so
    assert casebook.verify().ok
    with reopened(casebook) as again:
        again.save_packet_form(1, form(1))
        again.save_packet_form(other.id, "{}")
        assert [r.actor for r in again.log() if r.action == "form edited"] == ["Ada", "Bo", "Bo"]
        assert again.packet_form(other.id).follows == 1
        assert again.verify().ok


def test_a_form_that_was_not_saved_is_logged_the_next_time(casebook: Casebook) -> None:
    for wrong in ("", "[]", "{", "[" * 100_000):
        with refused("bad_record"):
            casebook.save_packet_form(1, wrong)
        with refused("bad_record"):
            casebook.new_packet(1, wrong)
    assert "form edited" not in {r.action for r in casebook.log()}
    casebook.save_packet_form(1, "{}")
    assert "form edited" in {r.action for r in casebook.log()}


def test_what_is_not_there(casebook: Casebook) -> None:
    plain = casebook.add_request(1, "by hand")
    for call in (
        lambda: casebook.packet_form(plain.id),
        lambda: casebook.delete_packet_form(plain.id),
        lambda: casebook.save_packet_form(99, "{}"),
        lambda: casebook.packet_built(99, "p", "00"),
        lambda: casebook.new_packet(99, "{}"),
    ):
        with refused("no_such_record"):
            call()
    other = casebook.add_incident("other").id
    with refused("bad_record"):
        casebook.new_packet(other, "{}", follows=1)
    for path in ("/home/ada/request-1.zip", "C:\\request-1.zip"):
        with refused("bad_record"):
            casebook.packet_built(1, path, "00")
    assert casebook.save_packet_form(plain.id, "{}").request_id == plain.id  # one recorded by hand can get a form
    assert casebook.verify().ok


def test_the_log_names_a_packet_and_its_digest(casebook: Casebook) -> None:
    packet = casebook.packet_built(1, "request-1a2b3c4d", "ab" * 32)
    row = list(casebook.log())[-1]
    assert (row.action, row.subject) == ("packet built", f"packet {packet.id}")
    assert row.details is not None
    assert (row.details["request"], row.details["name"], row.details["sha256"]) == (1, "request-1a2b3c4d", "ab" * 32)
    assert [(e.text, e.id) for e in casebook.timeline(1) if e.kind == "packet"] == [("request-1a2b3c4d", packet.id)]
    assert not [e for e in casebook.timeline(3) if e.kind == "packet"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE packet SET sha256 = 'ee'",
        "UPDATE packet SET law = 'other'",
        "DELETE FROM packet",
        "INSERT INTO packet SELECT 9, request_id, name, sha256, head, law, platform, channel, built_at FROM packet",
        "DROP TABLE packet",
    ],
)
def test_a_packet_that_was_changed_past_the_log_is_named(casebook: Casebook, statement: str) -> None:
    casebook.packet_built(1, "request-1", "ab" * 32)
    assert casebook.verify().ok
    casebook._db().execute(statement)
    assert any("packet" in p for p in casebook.verify().problems)


def test_the_export_holds_forms_and_packets(casebook: Casebook) -> None:
    casebook.packet_built(1, "request-1", "ab" * 32)
    casebook.add_request(1, "by hand")
    to = casebook.path.with_name("e.json")
    casebook.export(to)
    first, second = json.loads(to.read_text())["incidents"][0]["requests"]
    assert first["form"]["form"] == json.loads(form(1, 2))
    assert first["form"]["step"] == "where"
    assert [p["name"] for p in first["packets"]] == ["request-1"]
    assert (second["form"], second["packets"]) == (None, [])


def test_the_key_signs_and_stays_with_another_passphrase(casebook: Casebook) -> None:

    key = casebook.signing_key()
    key.public_key().verify(key.sign(b"manifest"), b"manifest")
    raw = key.public_key().public_bytes_raw()
    with reopened(casebook) as again:
        again.change_passphrase("another set of words")
        assert again.signing_key().public_key().public_bytes_raw() == raw


# Requests, contacts and reference photos that change


def test_whom_and_what_a_request_is_about_can_change(casebook: Casebook) -> None:
    changed = casebook.update_request(
        1, recipient="Y", legal_basis="a law", item_ids=[3, 2, 3], sighting_ids=[], sent_at="2026-11-28T12:00:00+00:00"
    )
    assert changed == casebook.request(1)
    assert (changed.recipient, changed.legal_basis, changed.item_ids, changed.sighting_ids) == (
        "Y",
        "a law",
        (2, 3),
        (),
    )
    assert casebook.update_request(1, sent_at="").sent_at is None
    assert casebook.update_request(1).recipient == "Y"
    rows = [(r.action, r.subject) for r in casebook.log()][-3:]
    assert rows == [("requested", "item 3"), ("changed", "request 1"), ("changed", "request 1")]
    assert casebook.verify().ok
    for tampered in ("INSERT INTO request_item VALUES (1, 1)", "DELETE FROM request_item WHERE item_id = 3"):
        casebook._db().execute(tampered)
        assert any("request 1" in p for p in casebook.verify().problems)
        casebook.update_request(1, item_ids=[2, 3])
        assert casebook.verify().ok
    with refused("bad_record"):
        casebook.update_request(1, item_ids=[casebook.add_item(casebook.add_incident("o").id, numbered_report(9)).id])
    assert casebook.verify().ok


def test_contacts_and_reference_photos_can_change(casebook: Casebook) -> None:
    contact = casebook.add_contact(1, "Jonas Bekele", role="lawyer", address="a@example.org")
    changed = casebook.update_contact(contact.id, address="b@example.org")
    assert (changed.name, changed.role, changed.address) == ("Jonas Bekele", "lawyer", "b@example.org")
    photo = casebook.add_reference(1, "/a/b.jpg", label="b", taken_on="2020-01-01")
    other = casebook.update_reference(photo.id, label="portrait", taken_on="")
    assert (other.label, other.taken_on, other.path) == ("portrait", "", "/a/b.jpg")
    assert casebook.contacts() == [changed]
    assert casebook.references() == [other]
    assert casebook.verify().ok
    for call in (lambda: casebook.update_contact(9, name="x"), lambda: casebook.update_reference(9, label="x")):
        with refused("no_such_record"):
            call()


# Deletion


def about(casebook: Casebook, request_id: int = 1) -> tuple[list[int], list[str]]:
    """The items and addresses that a form still names."""
    held = json.loads(casebook.packet_form(request_id).form)
    return [one.get("id", 1) for one in held["item"]], [one["url"] for one in held["sighting"]]


def test_a_deleted_item_leaves_the_forms_too(casebook: Casebook) -> None:
    copied = casebook.new_packet(1, form(2, 3))  # says nothing of what it is about
    elsewhere = casebook.new_packet(casebook.add_incident("other").id, json.dumps({"item": [{"sha256": "ff" * 32}]}))
    casebook.delete_item(2)
    assert about(casebook) == ([1], ["https://a.example/1"])
    assert about(casebook, copied.id) == ([3], ["https://a.example/3"])
    assert json.loads(casebook.packet_form(elsewhere.id).form)["item"] == [{"sha256": "ff" * 32}]
    casebook.delete_item(1)
    assert about(casebook) == ([], [])
    assert casebook.verify().ok
    casebook.close()
    assert found_in(decrypted(casebook.path), list(SHA256.values())) == [SHA256[2]]


def test_the_same_bytes_in_another_incident_stay_in_its_form(casebook: Casebook) -> None:
    other = casebook.add_incident("other").id
    again = casebook.add_item(other, numbered_report(0))
    kept = casebook.new_packet(
        other, json.dumps({"item": [{"id": again.id, "sha256": SHA256[0]}]}), item_ids=[again.id]
    )
    casebook.delete_item(1)
    assert about(casebook)[0] == [2]
    assert json.loads(casebook.packet_form(kept.id).form)["item"][0]["id"] == again.id


def test_nothing_is_asked_for_an_item_that_may_show_a_minor(casebook: Casebook) -> None:
    other = casebook.add_incident("other").id
    again = casebook.add_item(other, numbered_report(0))
    text = {"item": [{"id": again.id, "sha256": SHA256[0]}], "texts": {"reason": "gone-words"}}
    there = casebook.new_packet(other, json.dumps(text), item_ids=[again.id])
    kept = casebook.new_packet(1, form(3), item_ids=[3])
    casebook.mark_maybe_minor(1)
    assert [f.request_id for f in casebook.packet_forms()] == [kept.id]
    assert {r.subject for r in casebook.log() if r.action == "form deleted"} == {"request 1", f"request {there.id}"}
    assert casebook.verify().ok
    casebook.close()
    assert found_in(decrypted(casebook.path), ["gone-words", SHA256[0]]) == []


def test_a_deleted_sighting_leaves_the_forms_too(casebook: Casebook) -> None:
    casebook.delete_sighting(1)
    assert about(casebook) == ([1, 2], ["https://a.example/2"])
    twice = casebook.add_sighting(1, "https://a.example/2", item_id=3)
    casebook.delete_sighting(twice.id)
    assert about(casebook) == ([1, 2], ["https://a.example/2"])
    assert casebook.verify().ok


def test_a_deleted_form_leaves_nothing_in_the_file(casebook: Casebook) -> None:
    casebook.save_packet_form(1, form(1, texts={"reason": "gone-words"}))
    casebook.packet_built(1, "kept-name", "ab" * 32)
    casebook.delete_packet_form(1)
    assert casebook.packet_forms() == []
    assert casebook.request(1).recipient == "X"
    assert database.journal_bytes(casebook.path) == 0
    assert found_in(decrypted(casebook.path), ["gone-words", "kept-name"]) == ["kept-name"]
    assert casebook.verify().ok


# An earlier layout


@pytest.fixture
def of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A casebook that the first version made, with something of each kind."""
    path = tmp_path / "before.casebook"
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", migrations.STEPS[:1])
        patch.setattr(migrations.migrate, "__defaults__", (migrations.STEPS,))
        patch.setattr(tables, "SEALED", {kind: names for kind, names in tables.SEALED.items() if kind != "packet"})
        patch.setattr("desktop.casebook.items.forget_in_forms", lambda *_, **__: [])
        made, _ = Casebook.create(path, PASSPHRASE, "Ada", _cost=CHEAP)
        with made:
            made.add_incident("An incident", depicted="Amina Okoro-Lindqvist")
            for number in range(3):
                made.add_item(1, numbered_report(number), label=f"item {number}", image=b"bytes")
            made.add_sighting(1, "https://a.example", item_id=1)
            made.add_request(1, "X", item_ids=[1, 2], sighting_ids=[1])
            made.update_request(1, reference="17")
            made.add_answer(1, "removed")
            made.add_note(1, "a note", request_id=1)
            made.not_a_match(1, 3)
            made.delete_item(2)
            assert made.verify().ok
    return path


def layout_of(path: Path) -> int:
    db = database.connect(path, keys.key_from_passphrase(PASSPHRASE, path.read_bytes()[:16]))
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


def contents(casebook: Casebook) -> list[object]:
    return [
        *(casebook.incidents(), casebook.items(), casebook.sightings(), casebook.requests(), casebook.answers(1)),
        *(casebook.notes(), casebook.wrong_matches(), list(casebook.log()), casebook.verify().head),
    ]


def test_a_casebook_of_before_is_brought_up_to_date(of_before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert layout_of(of_before) == 1
    with monkeypatch.context() as patch:
        patch.setattr(migrations.migrate, "__defaults__", (migrations.STEPS[:1],))
        with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
            before = contents(casebook)
    assert layout_of(of_before) == 1
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        assert casebook.notices == ()
        assert casebook.verify().ok
        assert contents(casebook) == before
        casebook.save_packet_form(1, "{}")
        casebook.packet_built(1, "request-1", "ab" * 32)
        casebook.update_request(1, item_ids=[3])
        assert casebook.verify().ok
    assert layout_of(of_before) == len(migrations.STEPS) == 2
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        assert casebook.verify().ok
        assert casebook.packets(1)[0].name == "request-1"


def test_a_kill_right_after_it_was_brought_up_to_date_loses_nothing(of_before: Path) -> None:
    killed(of_before, "assert casebook.packets() == []")
    assert database.journal_bytes(of_before)
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        assert casebook.notices == ()
        assert len(casebook.items()) == 2
        assert casebook.verify().ok


def test_a_backup_of_before_is_not_ruined_by_a_journal_of_now(of_before: Path) -> None:
    backup = of_before.read_bytes()
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        for number in range(40):
            casebook.add_note(1, f"later {number} " * 50)
    killed(
        of_before, "casebook.packet_built(1, 'request-1', '00'); casebook.delete_item(1); casebook.add_note(1, 'last')"
    )
    of_before.write_bytes(backup)
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        assert "another state" in casebook.notices[0]
        assert (len(casebook.items()), len(casebook.notes()), casebook.packets()) == (2, 1, [])
        assert casebook.verify().ok


def test_a_journal_of_before_does_not_ruin_a_backup_of_before(of_before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the log and the seals say is looked at in an earlier layout too."""
    with monkeypatch.context() as patch:
        patch.setattr(migrations.migrate, "__defaults__", (migrations.STEPS[:1],))
        with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
            key = casebook._key
            casebook.add_note(1, "in the journal")
            held = of_before.read_bytes(), database.journal_path(of_before).read_bytes()
            casebook._db().execute("UPDATE note SET text = 'changed past the log' WHERE id = 1")
            changed = database.journal_path(of_before).read_bytes()
    for data, sound in ((held[1], True), (changed, False)):
        of_before.write_bytes(held[0])
        database.journal_path(of_before).write_bytes(data)
        db, aside = store._sound(of_before, key)
        assert (db is not None) is sound
        if db is not None:
            db.close()
        if aside is not None:
            aside.unlink()
        database.journal_path(of_before).unlink(missing_ok=True)


def test_without_room_it_stays_as_it_was(of_before: Path) -> None:
    data = of_before.read_bytes()
    with no_growth(), refused("disk_full"):
        Casebook.open(of_before, PASSPHRASE, "Ada")
    assert of_before.read_bytes() == data
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        assert casebook.notices == ()
        assert casebook.verify().ok


def test_a_record_of_before_that_was_changed_is_still_named(of_before: Path) -> None:
    with Casebook.open(of_before, PASSPHRASE, "Ada") as casebook:
        casebook._db().execute("UPDATE sighting SET url = 'https://b.example'")
        assert any("sighting 1" in p for p in casebook.verify().problems)


def test_the_first_layout_is_as_it_was_released() -> None:
    import hashlib

    digest = hashlib.sha256(migrations._FIRST.encode()).hexdigest()
    assert digest == "7f3f9a949d4395d553a71164cf760027f118c780abc902a12df3273694ca4cf4"


# What looks like an item that goes


def test_what_looks_like_it_is_found_across_incidents(casebook: Casebook) -> None:
    def added(number: int, *views: View, incident: int = 1) -> int:
        return casebook.add_item(incident, numbered_report(number), views).id

    pdq, near, far = "0f" * 32, "0f" * 31 + "0e", "f1" * 32
    whole, part = View("whole", (0, 0, 9, 9), pdq, 90), View("region", (0, 0, 5, 5), far, 90)
    first = added(50, whole, part)
    same = added(51, View("whole", (0, 0, 9, 9), near, 90), incident=casebook.add_incident("other").id)
    cropped = added(52, View("whole", (0, 0, 5, 5), far, 90))
    part_too = added(53, View("region", (0, 0, 5, 5), far, 90))  # part against part says little
    added(50, whole)  # the same bytes go with it
    wrong = added(54, View("whole", (0, 0, 9, 9), near, 90))
    casebook.not_a_match(first, wrong)
    assert alike_left(casebook, first) == (same, cropped)
    assert alike_left(casebook, cropped) == (first, part_too)
    assert alike_left(casebook, 1) == ()  # nothing to compare it by
    with refused("no_such_record"):
        alike_left(casebook, 99)
