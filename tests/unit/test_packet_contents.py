"""`request.json` and the tables of a packet: what the letters say, and no more."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from desktop.packets import bag, complete, contents, facts, verify
from desktop.packets.countries import country_name
from desktop.packets.letters import Custody, CustodyRow
from desktop.packets.request import Request
from tests.packet_texts import files_of, text_of
from tests.unit.packet_bags import KEY
from tests.unit.packet_requests import full_request

# Words for programs: the letter has them in the words of its language.
WORDS = {
    "schema", "kind", "language", "law.id", "platform.id", "platform.name", "channel.id", "sender.role",
    "sender.identity", "statements", "images.made", "created_at", "earlier.law", "earlier.platform",
}  # fmt: skip
CASES = [
    ("us_tida", "x", "depicted"),
    ("us_tida", "x", "agent"),
    ("eu_dsa_16", "reddit", "depicted"),
    ("us_dmca", "x", "owner"),
    ("", "police", "agent"),
    ("", "court", "depicted"),
    ("uk_osa_20a", "uk_ofcom", "depicted"),
    ("eu_gdpr_17", "google_search", "depicted"),
    ("", "cloudflare", "anyone"),
    ("", "host", "guardian"),
]


def built(law: str, platform: str, role: str, change: Any = None, **options: Any) -> tuple[bag.Packet, Request]:
    known = facts.load()
    request = full_request(known, law, platform, role)
    if change is not None:
        request = change(request)
    assessment = complete.assess(request, known)
    return bag.build(assessment, known, key=KEY, **options), request


def leaves(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Each value of a JSON object with its place, such as `sender.name`."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, where)
    else:
        yield where, str(value)


def not_in_the_letters(packet: bag.Packet) -> tuple[int, list[str]]:
    """How many values `request.json` holds, and which of them no letter says."""
    files = files_of(packet.zip)
    said = "".join("".join(text_of(d).split()) for p, d in files.items() if p.endswith(".pdf"))
    values = [(w, v) for w, v in leaves(json.loads(files["data/request.json"])) if w not in WORDS]
    # The letters name the country in words.
    values = [(w, country_name(v, "en") if w == "depicted.country" else v) for w, v in values]
    return len(values), [where for where, value in values if "".join(value.split()) not in said]


@pytest.mark.parametrize(("law", "platform", "role"), CASES)
def test_the_record_says_nothing_that_the_letters_do_not(law: str, platform: str, role: str) -> None:
    packet, _ = built(law, platform, role)
    count, missing = not_in_the_letters(packet)
    assert count > 8
    assert missing == []


def test_one_value_too_many_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = contents.record

    def more(letter: Any) -> dict[str, Any]:
        return real(letter) | {"texts": {"vulnerability": letter.request.texts.vulnerability}}

    monkeypatch.setattr(contents, "record", more)
    packet, _ = built("us_tida", "x", "depicted")
    assert not_in_the_letters(packet)[1] == ["texts.vulnerability"]


def test_no_field_for_the_sender_alone_is_in_the_record() -> None:
    def marked(request: Request) -> Request:
        items = tuple(
            dataclasses.replace(
                i, label="LABEL", file="/home/amina/FILE.png", pdq="b" * 64, md5="c" * 32, pdq_quality=99, id=4711
            )
            for i in request.items
        )
        sightings = tuple(dataclasses.replace(s, note="NOTE", item=4711) for s in request.sightings)
        return dataclasses.replace(request, items=items, sightings=sightings)

    packet, _ = built("us_tida", "x", "depicted", marked)
    text = b"".join(files_of(packet.zip).values())
    for secret in (b"LABEL", b"FILE.png", b"amina", b"b" * 64, b"c" * 32, b"NOTE"):
        assert secret not in text
    record = json.loads(files_of(packet.zip)["data/request.json"])
    assert record["addresses"][0]["image"] == record["images"][0]["number"] == 1


def test_the_letters_bear_the_fingerprint_of_the_key() -> None:
    packet, _ = built("us_tida", "x", "depicted")
    letter = text_of(files_of(packet.zip)["data/letters/notice.en.pdf"])
    assert packet.signer.replace(" ", "") in "".join(letter.split())


def test_the_statements_are_those_that_were_made() -> None:
    def two(request: Request) -> Request:
        made = dataclasses.replace(type(request.statements)(), nonconsent=True, perjury=True)
        return dataclasses.replace(request, statements=made)

    packet, _ = built("us_tida", "x", "depicted", two)
    assert json.loads(files_of(packet.zip)["data/request.json"])["statements"] == ["nonconsent_statement"]


def test_the_addresses_as_a_table() -> None:
    def hostile(request: Request) -> Request:
        one = request.sightings[0]
        urls = [f"https://x.com/example_account/status/{n}" for n in range(300)]
        many = [dataclasses.replace(one, url=url, handle="=HYPERLINK(1)\u202e") for url in urls]
        return dataclasses.replace(request, sightings=tuple(many))

    packet, _ = built("us_tida", "x", "depicted", hostile)
    rows = list(csv.reader(io.StringIO(files_of(packet.zip)["data/addresses.csv"].decode())))
    assert tuple(rows[0]) == contents.ADDRESS_COLUMNS
    assert len(rows) == 301
    assert rows[300] == [
        "300",
        "https://x.com/example_account/status/299",
        "'=HYPERLINK(1)\\u202e",
        "2026-11-27 15:30",
        "1",
    ]


def test_the_custody_log_goes_along_unless_it_is_left_out() -> None:
    rows = (CustodyRow(3, "2026-11-27T10:00:00+00:00", "person 1", "added", "item 1", "ab" * 32),)
    custody = Custody(rows, "7-ABCD-EFGH-JKLM-NPQR")
    packet, _ = built("us_tida", "x", "depicted", custody=custody)
    files = files_of(packet.zip)
    assert (
        files["data/custody.csv"].decode().splitlines()[1]
        == f"3,2026-11-27T10:00:00+00:00,person 1,added,item 1,{'ab' * 32}"
    )
    assert b"Counterproof-Custody-Head: 7-ABCD-EFGH-JKLM-NPQR\n" in files["bag-info.txt"]
    assert "data/letters/custody.en.pdf" in files

    def without(request: Request) -> Request:
        return dataclasses.replace(request, include=dataclasses.replace(request.include, custody=False))

    files = files_of(built("us_tida", "x", "depicted", without, custody=custody)[0].zip)
    assert not [p for p in files if "custody" in p]
    assert b"Custody" not in files["bag-info.txt"]


def test_fingerprints_only_of_a_quality_that_can_be_relied_on() -> None:
    def of(quality: int | None) -> str:
        def change(request: Request) -> Request:
            item = dataclasses.replace(request.items[0], pdq="b" * 64, pdq_quality=quality, md5="c" * 32, width=640)
            return dataclasses.replace(
                request, items=(item,), include=dataclasses.replace(request.include, hashes=True)
            )

        packet, _ = built("", "stopncii", "depicted", change)
        return files_of(packet.zip)["data/hashes.csv"].decode().splitlines()[1]

    rest = f",{'c' * 32},,640,,2026-11-28T12:00:00+00:00,{contents.TOOL}"
    assert of(50) == f"{'a' * 64},{'b' * 64},50{rest}"
    assert of(49) == f"{'a' * 64},,49{rest}"
    assert of(None) == f"{'a' * 64},{'b' * 64},{rest}"


class TestImages:
    def with_image(self, kind: str, law: str = "us_tida", platform: str = "x", sha256: str = "") -> Any:
        def change(request: Request) -> Request:
            items = tuple(dataclasses.replace(i, sha256=sha256, media_type="image/png") for i in request.items)
            include = dataclasses.replace(request.include, image=kind)
            return dataclasses.replace(request, items=items, include=include)

        return change

    def test_only_where_the_request_says_so(self) -> None:
        assert not [p for p in built("us_tida", "x", "depicted")[0].files if "image" in p]
        with pytest.raises(bag.PacketError) as error:
            built("us_tida", "x", "depicted", images={1: b"x"})
        assert error.value.code == "image_not_asked"
        with pytest.raises(bag.PacketError) as error:
            built("us_tida", "x", "depicted", self.with_image("full"), images={2: b"x"})
        assert error.value.code == "image_not_asked"

    @pytest.mark.parametrize(("kind", "name"), [("blurred", "image-1-blurred.png"), ("full", "image-1.png")])
    def test_beside_the_letters_and_never_in_them(self, kind: str, name: str) -> None:
        packet, _ = built("us_tida", "x", "depicted", self.with_image(kind), images={1: b"the image" * 20})
        files = files_of(packet.zip)
        assert files[f"data/images/{name}"] == b"the image" * 20
        letter = text_of(files["data/letters/notice.en.pdf"])
        assert "express choice" in letter
        assert b"/Subtype /Image" not in files["data/letters/notice.en.pdf"]

    def test_only_the_one_that_the_request_names(self) -> None:
        with pytest.raises(bag.PacketError) as error:
            built("us_tida", "x", "depicted", self.with_image("full", sha256="a" * 64), images={1: b"another"})
        assert error.value.code == "not_that_image"

    @pytest.mark.parametrize(
        ("law", "platform"), [("", "kr_police"), ("", "kr_d4u"), ("", "stopncii"), ("", "uk_ofcom")]
    )
    def test_never_where_it_is_ruled_out(self, law: str, platform: str) -> None:
        for kind in ("blurred", "full"):
            with pytest.raises(bag.PacketError) as error:
                built(law, platform, "depicted", self.with_image(kind), images={1: b"x"})
            assert error.value.code == "image_not_here"


class TestRefused:
    def test_without_a_time(self) -> None:
        def timeless(request: Request) -> Request:
            return dataclasses.replace(request, created_at=None)

        with pytest.raises(bag.PacketError) as error:
            built("us_tida", "x", "depicted", timeless)
        assert error.value.code == "no_time"
        assert verify.verify(built("us_tida", "x", "depicted", timeless, draft=True)[0].zip).ok

    def test_incomplete_only_as_a_draft(self) -> None:
        def unsigned(request: Request) -> Request:
            return complete.without(request, "signature")

        with pytest.raises(bag.PacketError) as error:
            built("us_tida", "x", "depicted", unsigned)
        assert error.value.code == "incomplete"
        assert "not signed" in error.value.message
        packet, _ = built("us_tida", "x", "depicted", unsigned, draft=True)
        assert packet.name.startswith("draft-")
        letter = text_of(files_of(packet.zip)["data/letters/notice.en.pdf"])
        pages = [page for page in letter.split("\f") if page.strip()]
        assert all("DRAFT" in page for page in pages)

    @pytest.mark.parametrize("age", ["minor", "unsure", ""])
    def test_never_where_someone_may_be_under_18_as_a_draft_neither(self, age: str) -> None:
        def gated(request: Request) -> Request:
            return dataclasses.replace(request, gate=dataclasses.replace(request.gate, age=age))

        for draft in (False, True):
            with pytest.raises(bag.PacketError) as error:
                built("us_tida", "x", "depicted", gated, draft=draft)
            assert error.value.code in ("maybe_minor", "age_not_answered")


def test_the_same_request_and_time_make_the_same_packet() -> None:
    assert built("us_tida", "x", "agent")[0] == built("us_tida", "x", "agent")[0]
    later = built(
        "us_tida", "x", "agent", lambda r: dataclasses.replace(r, created_at=r.created_at.replace(year=2027))
    )[0]
    assert later.sha256 != built("us_tida", "x", "agent")[0].sha256


def addressees() -> list[tuple[str, str]]:
    """Each law with the first platform that a request on it can go to, and each platform without a law."""
    known, day = facts.load(), datetime.date(2026, 11, 28)
    pairs = []
    for id, law in known.laws.items():
        to = [p for p in known.platforms.values() if complete.can_be_sent(law, p)]
        assert to, f"a request on {id} can go nowhere"
        if law.in_force(day):
            pairs.append((id, next((p.id for p in to if id in p.laws), to[0].id)))
    assert len(pairs) > 25
    return pairs + [("", id) for id, p in known.platforms.items() if id != "take_it_down"]  # that one is for minors


@pytest.mark.parametrize(("law", "platform"), addressees())
def test_each_law_and_each_platform_has_a_packet_that_verifies(law: str, platform: str) -> None:
    role = "depicted" if not law or "depicted" in facts.load().laws[law].who else facts.load().laws[law].who[0]
    packet, _ = built(law, platform, role)
    assert verify.verify(packet.zip).ok
    assert "data/letters/" in "".join(packet.files)
