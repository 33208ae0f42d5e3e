"""What goes from a casebook into a request, what stays at home, and what is recorded of a packet."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from desktop.casebook.casebook import Casebook
from desktop.casebook.records import CasebookError, RequestState
from desktop.packets import facts as packet_facts
from desktop.packets import gather
from desktop.packets.letters import Custody
from desktop.packets.request import RecipientOverride, RequestError, RequestItem, RequestSighting, from_json, to_json
from tests.casebook_kill import CHEAP, numbered_report
from tests.unit.packet_requests import full_request
from tests.unit.sample_reports import HOSTILE, report, unreadable

PASSPHRASE = "four unrelated dull words"  # noqa: S105
FACTS = packet_facts.load()
SECRETS = ("secret-actor", "secret-note", "secret-how", "secret-by", "secret-folder", "secret-description", "secret-op")


@pytest.fixture
def casebook(tmp_path: Path) -> Iterator[Casebook]:
    """An incident with two items, seen three times, and a lawyer who may act."""
    made, _ = Casebook.create(tmp_path / "her.casebook", PASSPHRASE, "secret-actor", _cost=CHEAP)
    with made:
        made.add_incident("secret-title", depicted="Amina Okoro-Lindqvist", wanted="secret-wish", country="KE")
        made.add_item(1, report(), label="secret-folder/a.jpg", description="secret-description")
        made.add_item(1, numbered_report(2), label="the one by the window")
        for number, item in ((1, 1), (2, 1), (3, 2)):
            made.add_sighting(
                1,
                f"https://x.com/a/status/{number}",
                item_id=item,
                platform="X",
                handle="@h",
                seen_at=f"2026-11-2{number}T10:00:00+03:00",
                time_zone="Africa/Nairobi",
                captured_how="secret-how",
                captured_by="secret-by",
                note="secret-note",
            )
        yield made


def refused(code: str) -> pytest.RaisesExc[CasebookError]:
    return pytest.raises(CasebookError, match=f"^{code}:")


# Into a request


def test_what_is_known_is_carried_over(casebook: Casebook) -> None:
    request = gather.prefilled(casebook, 1, sighting_ids=[3, 1])
    assert (request.depicted.name, request.depicted.country) == ("Amina Okoro-Lindqvist", "KE")
    assert [s.url for s in request.sightings] == ["https://x.com/a/status/3", "https://x.com/a/status/1"]
    first = request.sightings[0]
    assert (first.item, first.platform, first.handle, first.time_zone) == (2, "X", "@h", "Africa/Nairobi")
    assert first.seen_at == "2026-11-23T10:00:00+03:00"
    assert [i.id for i in request.items] == [2, 1]
    item = request.items[1]
    assert (item.sha256, item.md5, item.pdq, item.pdq_quality) == ("cd" * 32, "ef" * 16, "01" * 32, 100)
    assert (item.media_type, item.width, item.height, item.made) == ("image/jpeg", 1024, 768, "unknown")
    assert item.findings is not None
    assert (item.findings.verdict, item.findings.p_synthetic) == ("likely_synthetic", 0.93)
    assert len(item.findings.findings) == 4
    assert [i.label for i in request.items] == ["the one by the window", ""]
    assert from_json(to_json(request)) == request


def test_what_a_person_says_herself_is_left_to_her(casebook: Casebook) -> None:
    request = gather.prefilled(casebook, 1, sighting_ids=[1])
    assert (request.gate.age, request.gate.intimate, request.signature.kind) == ("", None, "")
    assert not any(dataclasses.astuple(request.statements))
    assert not request.include.findings
    assert request.created_at is None


def test_nothing_private_is_carried_over(casebook: Casebook) -> None:
    text = to_json(gather.prefilled(casebook, 1, item_ids=[1, 2]))
    assert [secret for secret in SECRETS if secret in text] == []
    assert "a.jpg" not in text


def test_with_items_alone_all_their_sightings_go_in(casebook: Casebook) -> None:
    request = gather.prefilled(casebook, 1, item_ids=[1])
    assert [s.url[-1] for s in request.sightings] == ["1", "2"]
    assert [i.id for i in request.items] == [1]
    nothing = gather.prefilled(casebook, 1)
    assert (nothing.items, nothing.sightings) == ((), ())
    both = gather.prefilled(casebook, 1, item_ids=[2], sighting_ids=[1])
    assert ([i.id for i in both.items], [s.url[-1] for s in both.sightings]) == ([2, 1], ["1"])


def test_where_someone_may_be_under_18_no_item_goes_in(casebook: Casebook) -> None:
    minor = casebook.add_sighting(1, "https://x.com/a/status/9", maybe_minor=True)
    request = gather.prefilled(casebook, 1, sighting_ids=[1, minor.id])
    assert request.gate.age == "unsure"
    assert request.items == ()
    assert {s.item for s in request.sightings} == {None}
    assert len(request.sightings) == 2


def test_only_what_belongs_to_the_incident(casebook: Casebook) -> None:
    other = casebook.add_incident("other").id
    for wrong in ({"sighting_ids": [1]}, {"item_ids": [1]}):
        with refused("no_such_record"):
            gather.prefilled(casebook, other, **wrong)


@pytest.mark.parametrize(
    ("depicted", "name"),
    [
        ("Amina Okoro-Lindqvist", "Amina Okoro-Lindqvist"),
        ("  Dr. Amina Okoro ", ""),  # “. ” may end a sentence: better asked than wrong
        ("I am", ""),
        ("me", ""),
        ("", ""),
        ("It is me. They made it from my photo.", ""),
        ("two\nlines", ""),
        ("x" * 101, ""),
    ],
)
def test_who_is_depicted_is_taken_where_it_is_a_name(casebook: Casebook, depicted: str, name: str) -> None:
    casebook.update_incident(1, depicted=depicted)
    assert gather.prefilled(casebook, 1).depicted.name == name


@pytest.mark.parametrize(
    ("role", "authority", "expected"),
    [
        ("lawyer", "letter of 1 November", ("agent", "written")),
        ("lawyer", "Power of attorney, notarised", ("agent", "attorney")),
        ("her mother", "birth certificate", ("guardian", "parent")),
        ("staff", "", ("agent", "none")),
        ("apparent heir", "a letter", ("agent", "written")),
    ],
)
def test_who_may_act_becomes_the_sender(
    casebook: Casebook, role: str, authority: str, expected: tuple[str, str]
) -> None:
    casebook.add_consent(1, "Jonas Bekele", role=role, authority=authority, given_at="2026-11-01T10:00:00+00:00")
    casebook.add_contact(1, "jonas bekele", address="desk@chambers.example")
    sender = gather.prefilled(casebook, 1).sender
    assert (sender.name, sender.email) == ("Jonas Bekele", "desk@chambers.example")
    assert (sender.role, sender.authority) == expected
    assert sender.authority_note == authority
    assert sender.authority_date == (datetime.date(2026, 11, 1) if authority else None)


def test_nobody_is_the_sender_where_it_is_not_clear(casebook: Casebook) -> None:
    assert gather.prefilled(casebook, 1).sender.role == ""
    first = casebook.add_consent(1, "Jonas Bekele", role="lawyer")
    casebook.add_consent(1, "Bo", role="staff")
    assert gather.prefilled(casebook, 1).sender.name == ""
    casebook.withdraw_consent(first.id)
    assert gather.prefilled(casebook, 1).sender.name == "Bo"
    casebook.add_consent(1, "Secret-Actor", role="staff")
    assert gather.prefilled(casebook, 1).sender.name == "Secret-Actor"  # who is at work, and may
    casebook.withdraw_consent(2)
    casebook.withdraw_consent(3)
    casebook.add_consent(1, "Amina Okoro-Lindqvist")
    assert gather.prefilled(casebook, 1).sender.role == "depicted"


@pytest.mark.parametrize(
    ("address", "field"),
    [("a@b.example", "email"), ("+254 20 555 0100", "phone"), ("12 Example Road, Exampletown", "address")],
)
def test_how_the_sender_is_reached(casebook: Casebook, address: str, field: str) -> None:
    casebook.add_consent(1, "Bo")
    casebook.add_contact(1, "Bo", address=address)
    sender = gather.prefilled(casebook, 1).sender
    assert {name: getattr(sender, name) for name in ("email", "phone", "address")} == {
        "email": "",
        "phone": "",
        "address": "",
        field: address,
    }


@pytest.mark.parametrize(
    "label",
    [
        *("IMG_1234", "DSC00017.JPG", "a.jpg", "C:\\x", "~/x", "Screenshot 2026-11-20 at 18.30.22", "20261120_183022"),
        *("WhatsApp Image 2026-11-20 at 18.30.22", "photo_2026-11-20_18-30-22", "9f86d081884c7d659a2feaa0c55ad015"),
        *("1899999999999999999", "two\nlines", "x" * 101, "clip.webm", "PXL_20261120_183022123.MP"),
    ],
)
def test_labels_that_look_like_files_stay_at_home(label: str) -> None:
    assert gather.label_of(label) == ""


@pytest.mark.parametrize(
    "label", ["the one by the window", "Bild 3", "second picture", "première image", "写真", "no. 12"]
)
def test_labels_in_words_are_kept(label: str) -> None:
    assert gather.label_of(f" {label} ") == label


def test_her_own_photos_are_not_named(casebook: Casebook) -> None:
    path = "/home/secret-folder/secret-portrait.jpg"
    said = report(
        says="This picture was made from your photo “secret-portrait.jpg” of 3 May 2020.",
        details={"source": {"reference": path, "inliers": 90}, "in_short": "From your photo “secret-portrait.jpg”."},
    )
    item = casebook.add_item(1, said)
    made = gather.as_item(casebook.item(item.id))
    assert made.findings is not None
    assert made.findings.reasons[0] == "This picture was made from your photo of 3 May 2020."
    assert made.findings.findings[0]["details"] == {"in_short": "From your photo."}
    assert gather._said(casebook.item(item.id).findings[0], [path])["details"] == {"in_short": "From your photo."}
    assert "secret" not in to_json(gather.prefilled(casebook, 1, item_ids=[item.id]))


def test_hostile_text_does_not_stop_a_request(casebook: Casebook) -> None:
    item = casebook.add_item(1, report(says=HOSTILE), label=HOSTILE)
    casebook.add_item(1, unreadable())
    casebook.add_sighting(1, f"https://x.com/{HOSTILE}", item_id=item.id, handle=HOSTILE, platform=HOSTILE)
    casebook.add_consent(1, HOSTILE, role=HOSTILE, authority=HOSTILE)
    request = gather.prefilled(casebook, 1, item_ids=[item.id, item.id + 1])
    assert "<script>" in request.sightings[0].url
    assert len(request.items) == 2
    assert request.items[1].findings is None
    casebook.add_sighting(1, "https://x.com/" + "a" * 9000, item_id=item.id)
    with pytest.raises(RequestError, match="8,000"):
        gather.prefilled(casebook, 1, item_ids=[item.id])


# The custody log


def test_the_custody_log_says_who_without_a_name(casebook: Casebook) -> None:
    casebook.actor = "Bo"
    casebook.viewed(1)
    casebook.viewed(2)
    casebook.add_note(1, "a note", item_id=1)
    casebook.actor = "secret-actor"
    casebook.revealed(1)
    found = gather.custody_of(casebook, [1])
    assert [(r.who, r.action, r.subject) for r in found.rows] == [
        ("person 1", "added", "image 1"),
        ("person 1", "added", "sighting of image 1"),
        ("person 1", "added", "sighting of image 1"),
        ("person 2", "viewed", "image 1"),
        ("person 1", "revealed", "image 1"),
    ]
    rows = {row.seq: row for row in casebook.log()}
    assert all((r.at, r.digest) == (rows[r.seq].at, rows[r.seq].digest) for r in found.rows)
    assert found.head == casebook.verify().head
    assert casebook.verify(found.head).ok
    text = repr(found)
    assert [secret for secret in (*SECRETS, "Bo", "cd" * 32) if secret in text] == []
    assert gather.custody_of(casebook, []) == Custody((), casebook.verify().head)
    with refused("no_such_record"):
        gather.custody_of(casebook, [99])


def test_the_custody_log_has_the_request_and_its_packets(casebook: Casebook) -> None:
    other = casebook.add_request(1, "somebody else", item_ids=[1])
    mine = casebook.new_packet(1, "{}", item_ids=[1])
    casebook.packet_built(other.id, "request-other", "00" * 32)
    casebook.packet_built(mine.id, "request-mine", "00" * 32)
    subjects = {r.subject for r in gather.custody_of(casebook, [1], mine.id).rows}
    assert subjects == {"image 1", "sighting of image 1", "this request", "request-mine"}


def test_the_custody_log_numbers_images_as_the_letters_do(casebook: Casebook) -> None:
    items = (RequestItem(sha256="99" * 32), RequestItem(id=2, sha256=str(numbered_report(2).sha256)), RequestItem(id=3))
    request = dataclasses.replace(full_request(FACTS, "us_tida", "x"), items=items)
    numbers = gather.items_of(casebook, request)
    assert numbers == {2: 2}
    assert {r.subject for r in gather.custody_of(casebook, numbers).rows} == {"image 2", "sighting of image 2"}
    assert {r.subject for r in gather.custody_of(casebook, [2]).rows} == {"image 1", "sighting of image 1"}


# A packet that was made


def packet(name: str = "request-1a2b3c4d") -> Any:
    return SimpleNamespace(name=name, sha256=hashlib.sha256(name.encode()).hexdigest())


def test_a_packet_from_a_file_is_recorded_with_what_it_is_about(casebook: Casebook) -> None:
    item = RequestItem(id=7, sha256="cd" * 32, file="/home/secret-folder/a.jpg", identification="the picture")
    base = dataclasses.replace(full_request(FACTS, "us_tida", "x"), recipient=RecipientOverride())
    seen = dataclasses.replace(base.sightings[0], item=7, url="https://x.com/a/status/2")
    request = dataclasses.replace(base, items=(item,), sightings=(seen,))
    assert gather.items_of(casebook, request) == {1: 1}
    record = gather.record_built(
        casebook, packet(), request, FACTS, head="9-AAAA", channel=FACTS.platform("x").channels[0].id
    )
    assert (record.item_ids, record.sighting_ids, record.state) == ((1,), (2,), RequestState.DRAFT)
    assert record.recipient == FACTS.platform("x").name
    assert record.legal_basis.startswith("TAKE IT DOWN Act")
    assert record.channel == FACTS.platform("x").channels[0].name
    made = casebook.packets(record.id)[0]
    assert (made.name, made.sha256, made.head) == ("request-1a2b3c4d", packet().sha256, "9-AAAA")
    assert (made.law, made.platform, made.channel) == ("us_tida", "x", FACTS.platform("x").channels[0].id)
    kept = from_json(casebook.packet_form(record.id).form)
    assert [(i.id, i.file, i.identification) for i in kept.items] == [(1, "", "the picture")]  # its number here
    assert [s.item for s in kept.sightings] == [1]
    assert dataclasses.replace(kept, items=(), sightings=()) == dataclasses.replace(request, items=(), sightings=())
    other = dataclasses.replace(request, recipient=RecipientOverride(name="Example Hosting Ltd"))
    again = gather.record_built(casebook, packet("request-2"), other, FACTS, request_id=record.id)
    assert (again.id, again.recipient) == (record.id, "Example Hosting Ltd")
    assert [p.name for p in casebook.packets(record.id)] == ["request-1a2b3c4d", "request-2"]
    assert casebook.verify().ok


def test_whom_a_request_leaves_to_its_addresses_is_recorded(casebook: Casebook) -> None:
    request = dataclasses.replace(full_request(FACTS, "", "x"), platform="", recipient=RecipientOverride())
    record = gather.record_built(casebook, packet(), request, FACTS)
    made = casebook.packets(record.id)[0]
    assert (record.recipient, made.platform, bool(made.channel)) == ("X", "x", True)


def test_items_get_the_numbers_of_the_casebook(casebook: Casebook) -> None:
    here = str(numbered_report(2).sha256)
    items = (RequestItem(id=1, sha256=here), RequestItem(id=2, sha256="99" * 32), RequestItem(id=5, sha256=here))
    seen = tuple(RequestSighting(item=n, url=f"https://x.com/{n}") for n in (1, 2, 5, None))
    request = dataclasses.replace(full_request(FACTS, "us_tida", "x"), items=items, sightings=seen)
    kept = from_json(casebook.packet_form(gather.record_built(casebook, packet(), request, FACTS).id).form)
    assert [i.id for i in kept.items] == [2, 3, 4]
    assert [(s.item, s.url[-1]) for s in kept.sightings] == [(2, "1"), (3, "2"), (4, "5"), (None, "e")]
    casebook.delete_item(2)
    left = from_json(casebook.packet_form(1).form)
    assert [i.id for i in left.items] == [3]


def test_a_packet_that_is_made_again_is_no_second_request(casebook: Casebook) -> None:
    request = full_request(FACTS, "us_tida", "x")
    casebook.new_packet(1, '{"half": "filled in"}')
    first = gather.record_built(casebook, packet("request-1"), request, FACTS)
    later = dataclasses.replace(request, created_at=datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC))
    assert gather.record_built(casebook, packet("request-2"), later, FACTS).id == first.id
    assert [p.name for p in casebook.packets(first.id)] == ["request-1", "request-2"]
    rows = casebook.overview().log_rows
    assert gather.record_built(casebook, packet("request-2"), later, FACTS).id == first.id  # the same bytes
    assert casebook.overview().log_rows == rows
    french = dataclasses.replace(request, language="fr")
    assert gather.record_built(casebook, packet("request-3"), french, FACTS).id != first.id
    casebook.update_request(first.id, state=RequestState.SENT)
    assert gather.record_built(casebook, packet("request-4"), request, FACTS).id not in (first.id, None)
    assert casebook.verify().ok


def test_to_which_incident_a_packet_belongs(casebook: Casebook) -> None:
    unknown = dataclasses.replace(full_request(FACTS, "us_tida", "x"), items=(RequestItem(sha256="99" * 32),))
    assert gather.record_built(casebook, packet(), unknown, FACTS).incident_id == 1
    other = casebook.add_incident("other").id
    with refused("which_incident"):
        gather.record_built(casebook, packet(), unknown, FACTS)
    assert gather.record_built(casebook, packet(), unknown, FACTS, incident_id=other).incident_id == other
    known = dataclasses.replace(unknown, items=(RequestItem(sha256="cd" * 32),))
    assert gather.record_built(casebook, packet(), known, FACTS).incident_id == 1
    with refused("no_such_record"):
        gather.record_built(casebook, packet(), known, FACTS, request_id=99)
    assert casebook.verify().ok
