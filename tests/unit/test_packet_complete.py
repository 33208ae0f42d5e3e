"""What a request lacks: for every law and channel, each needed element taken out is named, and no other."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from desktop.packets import complete, facts
from desktop.packets.complete import Assessment, State, assess, can_be_sent, without
from desktop.packets.elements import ELEMENTS, Element
from desktop.packets.facts import Channel, Confidence, FactsError, Law, Platform
from desktop.packets.request import (
    Depicted,
    Earlier,
    Gate,
    RecipientOverride,
    Request,
    RequestItem,
    RequestSighting,
    Sender,
    Signature,
    Statements,
    Texts,
    from_json,
    from_toml,
    to_json,
)
from desktop.safety import helplines
from tests.unit.packet_requests import full_request

FACTS = facts.load()
CASE = tuple[str, str, str, str]  # law, platform, channel, role


def roles(law: Law | None, channel: Channel) -> list[str]:
    """The person herself, an agent, the owner of a photo: those whom law and channel take; else whoever they take."""
    able = [r for r in ("depicted", "agent", "guardian", "owner", "anyone") if _may(law, channel, r)]
    return [r for r in able if r in ("depicted", "agent", "owner")] or able[:1]


def _may(law: Law | None, channel: Channel, role: str) -> bool:
    return all(role in who or "anyone" in who for who in (law.who if law else (role,), channel.who))


def cases(law_id: str) -> Iterator[CASE]:
    """Every platform and channel to which a request on that law can go (on no law: every one), in each role."""
    law = FACTS.laws[law_id] if law_id else None
    for platform in FACTS.platforms.values():
        if law is None or can_be_sent(law, platform):
            for channel in platform.channels:
                brought = FACTS.laws.get(channel.laws[0]) if law is None and len(channel.laws) == 1 else law
                for role in roles(brought, channel):
                    yield law_id, platform.id, channel.id, role


def what_is_wrong(case: CASE) -> tuple[list[str], int]:
    """What the property finds wrong, and how many elements were taken out."""
    law_id, platform_id, channel_id, role = case
    request = full_request(FACTS, law_id, platform_id, role, channel=channel_id)
    full = assess(request, FACTS)
    needed = [c.element for c in full.checks if c.need != "sensible"]
    found = [f"{case}: {c.element} is {c.state} in a full request" for c in full.missing]
    found += [f"{case}: {element} is there twice" for element in {*needed} if needed.count(element) > 1]
    for element in needed:
        missing = assess(without(request, element), FACTS).missing_elements
        if missing != (element,):
            found.append(f"{case}: without {element}, {missing} is missing")
    return found, len(needed)


@pytest.mark.parametrize("law_id", ["", *FACTS.laws])
def test_each_element_taken_out_is_named_and_no_other(law_id: str) -> None:
    results = [what_is_wrong(case) for case in cases(law_id)]
    assert len(results) >= 1
    assert sum(taken for _, taken in results) >= 2 * len(results)
    assert [problem for problems, _ in results for problem in problems] == []


def test_the_property_covers_every_law_platform_and_channel() -> None:
    every = [case for law_id in ("", *FACTS.laws) for case in cases(law_id)]
    channels = {(p.id, c.id) for p in FACTS.platforms.values() for c in p.channels}
    assert {(platform, channel) for _, platform, channel, _ in every} == channels
    assert {law for law, *_ in every} == {"", *FACTS.laws}
    assert {role for *_, role in every} >= {"depicted", "agent", "owner"}
    assert len(FACTS.laws) >= 30
    assert len(channels) >= 45
    assert len(every) >= 1000
    demanded = {e.id for law in FACTS.laws.values() for e in law.elements}
    demanded |= {e.id for p in FACTS.platforms.values() for c in p.channels for e in c.elements}
    assert demanded <= {*ELEMENTS}


def _always_there(monkeypatch: pytest.MonkeyPatch, element: str) -> None:
    monkeypatch.setitem(complete._PRESENT, element, lambda request: True)  # type: ignore[arg-type]


def _never_there(monkeypatch: pytest.MonkeyPatch, element: str) -> None:
    monkeypatch.setitem(complete._PRESENT, element, lambda request: False)  # type: ignore[arg-type]


def _takes_more_with_it(monkeypatch: pytest.MonkeyPatch, element: str) -> None:
    one = ELEMENTS[element]
    changed: dict[str, Element] = {**ELEMENTS, element: replace(one, fields=(*one.fields, "texts.reason"))}
    monkeypatch.setattr(complete, "ELEMENTS", changed)


@pytest.mark.parametrize("fault", [_always_there, _never_there, _takes_more_with_it])
@pytest.mark.parametrize("element", ["contact_email", "locators", "accuracy_statement"])
def test_a_planted_fault_turns_the_property_red(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[pytest.MonkeyPatch, str], None], element: str
) -> None:
    case = next(c for c in cases("eu_dsa_16") if c[1] == "x")
    assert what_is_wrong(case)[0] == []
    fault(monkeypatch, element)
    assert any(element in problem for problem in what_is_wrong(case)[0])


# --- One request to X under the TAKE IT DOWN Act, changed in one thing.


@pytest.fixture
def full() -> Request:
    return lean(full_request(FACTS, "us_tida", "x", channel="take_it_down", country="KE"))


def lean(request: Request) -> Request:
    """Without what nobody asked for, so that nothing is said of it."""
    return replace(request, sender=replace(request.sender, phone="", address="", identity=""))


def weak(assessment: Assessment) -> list[tuple[str, str]]:
    return [(c.element, c.says) for c in assessment.weak]


def kinds(assessment: Assessment) -> list[str]:
    return [r.kind for r in assessment.risks if r.kind != "warning"]


def codes(assessment: Assessment) -> list[str]:
    return [r.code for r in assessment.refusals]


def test_a_full_request_is_complete(full: Request) -> None:
    found = assess(full, FACTS)
    assert found.complete
    assert (found.missing, weak(found), kinds(found), found.refusals) == ((), [], [], ())
    assert {c.state for c in found.checks} == {State.PRESENT}
    assert {c.element for c in found.checks} >= {"role", "signature", "locators", "nonconsent_statement"}
    assert found.law is FACTS.laws["us_tida"]
    assert found.platform.id == "x"
    assert found.channel.id == "take_it_down"


def test_the_example_in_the_demo_folder_is_complete() -> None:
    found = assess(from_toml((facts.RESOURCES / "demo" / "request.toml").read_text("utf-8")), FACTS)
    assert found.complete
    assert (weak(found), kinds(found)) == ([], [])


def test_a_check_says_who_needs_it_and_where_it_stands(full: Request) -> None:
    by_element = {c.element: c for c in assess(full, FACTS).checks}
    signature, locators = by_element["signature"], by_element["locators"]
    assert (signature.need, signature.needed_by, signature.cite) == ("always", ("law us_tida",), "s. 3(a)(1)(B)(i)")
    assert signature.confidence is Confidence.VERIFIED
    assert "signature" in signature.asked
    assert locators.needed_by == ("law us_tida", "channel x/take_it_down")
    # The form wants an e-mail address, the law any way of contact: one thing is asked, once.
    assert "contact" not in by_element
    assert set(by_element["contact_email"].needed_by) == {"channel x/take_it_down", "law us_tida"}


def test_what_is_missing_says_what_to_do(full: Request) -> None:
    for element in ELEMENTS.values():
        assert element.missing.endswith((".", "her."))
        assert element.remedy.endswith((".", "." + "”"))
        assert "!" not in element.missing + element.remedy
    (check,) = assess(replace(full, sightings=()), FACTS).missing
    assert (check.element, check.state) == ("locators", State.MISSING)
    assert check.remedy.startswith("Add the address of each post")


def test_an_empty_draft_raises_nothing_and_is_asked_the_first_question() -> None:
    found = assess(Request(), FACTS)
    assert codes(found) == ["age_not_answered"]
    assert not found.complete
    adults = Gate(age="adults", intimate=True, satire=False, news=False)
    found = assess(Request(gate=adults), FACTS)
    assert found.platform.id == "other_platform"
    assert {"role", "recipient", "locators"} <= set(found.missing_elements)


def test_without_a_platform_it_is_the_one_where_it_was_seen(full: Request) -> None:
    found = assess(replace(full, platform="", channel="", law=""), FACTS)
    assert found.platform.id == "x"


def test_a_channel_brings_the_law_that_it_is_for(full: Request) -> None:
    found = assess(replace(full, law="", channel=""), FACTS)
    assert found.channel.id == "take_it_down"
    assert found.law is FACTS.laws["us_tida"]
    assert "signature" in {c.element for c in found.checks}
    before = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert assess(replace(full, law="", channel="", created_at=before), FACTS).law is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"law": "us_tda"}, "unknown_law"),
        ({"platform": "xx"}, "unknown_platform"),
        ({"channel": "q"}, "unknown_channel"),
    ],
)
def test_what_does_not_exist_is_an_error(full: Request, change: dict[str, str], code: str) -> None:
    with pytest.raises(FactsError) as caught:
        assess(replace(full, **change), FACTS)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.remedy


def test_an_unknown_element_is_an_error(full: Request) -> None:
    with pytest.raises(KeyError):
        without(full, "proof_that_it_is_fake")
    assert not [e for e in ELEMENTS if "fake" in e or "synthetic" in e or "proof_of" in e]


def test_assessing_changes_nothing(full: Request) -> None:
    before = to_json(full)
    assess(full, FACTS)
    without(full, "signature")
    assert to_json(full) == before
    assert from_json(before) == full


# --- Weak.


def url(text: str) -> Callable[[Request], Request]:
    return lambda r: replace(r, sightings=(replace(r.sightings[0], url=text),))


def urls(*texts: str) -> Callable[[Request], Request]:
    return lambda r: replace(r, sightings=tuple(replace(r.sightings[0], url=text) for text in texts))


def sender(**values: Any) -> Callable[[Request], Request]:
    return lambda r: replace(r, sender=replace(r.sender, **values))


def signature(**values: Any) -> Callable[[Request], Request]:
    return lambda r: replace(r, signature=replace(r.signature, **values))


def texts(**values: Any) -> Callable[[Request], Request]:
    return lambda r: replace(r, texts=replace(r.texts, **values))


POST = "https://x.com/example_account/status/18999999999999999"
WEAK: dict[str, tuple[Callable[[Request], Request], str, str]] = {
    "a profile": (url("https://x.com/example_account"), "locators", "The address leads to a profile, not to a post."),
    "a search": (url("https://x.com/search?q=a"), "locators", "The address leads to a search, not to a post."),
    "a start page": (url("https://x.com/home"), "locators", "The address leads to a start page, not to a post."),
    "a bare host": (url("https://x.com"), "locators", "The address leads to a start page, not to a post."),
    "no scheme": (url("x.com/a/status/1"), "locators", "The address does not begin with https://."),
    "another scheme": (url("ftp://x.com/a/status/1"), "locators", "The address is not the address of a web page."),
    "no address": (url("the post of yesterday"), "locators", "The address is not the address of a web page."),
    "a hidden host": (
        url("https://x.com@evil.example/a/status/1"),
        "locators",
        "The address is not the address of a web page.",
    ),
    "a space in it": (url("https://x.com/a status/1"), "locators", "The address is not the address of a web page."),
    "a short link": (url("https://t.co/abc"), "locators", "The address is a short link, which can stop working."),
    "another website": (url("https://pictures.example/a/1"), "locators", "The address is not on X."),
    "another platform": (
        url("https://www.reddit.com/r/example/comments/abc123/example/"),
        "locators",
        "The address is not on X.",
    ),
    "the same twice": (urls(POST, POST), "locators", "Address 2 is there twice."),
    "many profiles": (
        urls(*(f"https://x.com/account{n}" for n in range(6)), POST),
        "locators",
        "6 of the 7 addresses (1, 2, 3 …) lead to profiles, not to posts.",
    ),
    "two profiles": (
        urls(POST, "https://x.com/a", "https://x.com/b"),
        "locators",
        "Addresses 2 and 3 lead to profiles, not to posts.",
    ),
    "several in one report": (
        urls(POST, f"{POST}9"),
        "locators",
        "One report takes one address here, and there are 2.",
    ),
    "only account and day": (url(""), "locators", "The sighting has no address, only an account and a date."),
    "nothing to find it by": (
        lambda r: replace(r, sightings=(*r.sightings, RequestSighting(note="somewhere"))),
        "locators",
        "Sighting 2 gives nothing by which it could be found.",
    ),
    "a picture seen nowhere": (
        lambda r: replace(r, items=(*r.items, RequestItem(id=2, identification="another"))),
        "locators",
        "Picture 2 is not among the sightings.",
    ),
    "a picture not described": (
        lambda r: replace(r, items=(*r.items, RequestItem(id=2)), sightings=(replace(r.sightings[0], item=None),)),
        "content_identification",
        "1 of 2 pictures or videos are not described.",
    ),
    "another name as signature": (
        signature(text="A. Okoro"),
        "signature",
        "The signature is not the same name as that of the sender.",
    ),
    "signed tomorrow": (
        signature(date=datetime.date(2026, 11, 30)),
        "signature",
        "The signature has a date that is later than the request.",
    ),
    "by hand in a form": (
        signature(kind="by_hand", text=""),
        "signature",
        "A form cannot take a signature by hand.",
    ),
    "a short text": (
        texts(relevant_information="it is fake"),
        "relevant_information",
        "What shows that there was no consent: this is shorter than a sentence.",
    ),
    "half an e-mail address": (sender(email="desk@chambers"), "contact_email", "The e-mail address is not complete."),
    "the name of a lawyer": (
        sender(role="agent", authority="attorney"),
        "role",
        "You act for somebody else, but your name is the same as that of the person in the picture.",
    ),
    "an agent without authority": (
        lambda r: replace(
            r,
            sender=replace(r.sender, role="agent", name="Jonas Bekele"),
            signature=replace(r.signature, text="Jonas Bekele"),
        ),
        "authority_proof",
        "It is not said by what authority you act for the person in the picture.",
    ),
    "a guardian of an adult": (
        sender(role="guardian", authority="parent"),
        "role",
        "A parent or guardian acts for an adult only where a court has said so.",
    ),
    "a parent who is none": (
        lambda r: replace(
            r,
            sender=replace(r.sender, role="agent", name="Jonas Bekele", authority="parent"),
            signature=replace(r.signature, text="Jonas Bekele"),
        ),
        "authority_proof",
        "You said that you act as a parent or guardian, but also that you are somebody else.",
    ),
}


@pytest.mark.parametrize("case", WEAK)
def test_what_is_weak_is_said(full: Request, case: str) -> None:
    change, element, says = WEAK[case]
    found = assess(change(full), FACTS)
    assert (element, says) in weak(found)
    assert found.missing == ()
    assert found.complete  # what is weak can be sent
    assert all(c.remedy and c.says and "!" not in c.says + c.remedy for c in found.weak)


@pytest.mark.parametrize(
    "change",
    [
        url("https://mobile.twitter.com/a/status/1"),
        url("HTTPS://X.com/a/status/1?s=20#top"),
        signature(text="amina  okoro lindqvist"),
        signature(date=datetime.date(2026, 11, 29)),  # it is that day already in Auckland
        signature(date=None),
        sender(email="amina+x@sub.例え.example"),
        sender(name=""),
        texts(relevant_information="저는 동의한 적이 없습니다. 사진은 합성된 것입니다. 제 얼굴만 가져다 썼습니다."),
    ],
)
def test_what_is_not_weak(full: Request, change: Callable[[Request], Request]) -> None:
    assert weak(assess(change(full), FACTS)) == []


def test_several_websites_where_one_report_takes_one() -> None:
    request = lean(full_request(FACTS, "", "cloudflare"))
    two = urls("https://a.example/1", "https://b.example/1")(request)
    assert [says for _, says in weak(assess(two, FACTS))] == [
        "One report takes the addresses of one website here, and there are 2 websites."
    ]
    many = urls(*(f"https://a.example/{n}" for n in range(251)))(request)
    (check,) = assess(many, FACTS).weak
    assert check.says == "One report takes 250 addresses here, and there are 251."
    assert check.remedy == "They become 2 reports."


def test_a_phone_alone_where_they_answer_by_e_mail() -> None:
    request = lean(full_request(FACTS, "us_tida", "us_ftc"))
    phone = replace(request, sender=replace(request.sender, email="", phone="+254 20 555 0100"))
    found = assess(phone, FACTS)
    assert weak(found) == [("contact", "There is no e-mail address, and this recipient answers by e-mail.")]


def test_host_names_outside_ascii_and_numbers_are_addresses() -> None:
    request = lean(full_request(FACTS, "", "google_search"))
    for text in ("https://пример.рф/a", "http://192.0.2.1/a", "http://[2001:db8::1]/a", "https://a.onion/b"):
        assert weak(assess(url(text)(request), FACTS)) == [], text
    assert weak(assess(url("http://localhost/a")(request), FACTS))


def test_20000_sightings_are_assessed_in_a_second(full: Request) -> None:
    many = urls(*(f"https://x.com/example/status/{n}" for n in range(20_000)))(full)
    started = time.process_time()
    assess(many, FACTS)
    assert time.process_time() - started < 5  # about 0.2 s here


# --- Risks.


def test_what_the_copyright_way_costs() -> None:
    request = full_request(FACTS, "us_dmca", "x", "owner")
    found = assess(request, FACTS)
    assert codes(found) == []
    assert {"name_to_uploader", "address_to_uploader", "perjury", "counter_notice", "identity_withheld"} <= {
        *kinds(found)
    }
    allowed = replace(request, sender=replace(request.sender, identity="allow"))
    assert "identity_withheld" not in kinds(assess(allowed, FACTS))


@pytest.mark.parametrize("platform", ["google_search", "cloudflare", "host", "registrar"])
def test_the_us_act_does_not_obviously_cover_what_is_no_platform(platform: str) -> None:
    found = assess(full_request(FACTS, "us_tida", platform), FACTS)
    assert "not_obviously_covered" in kinds(found)
    assert "not_obviously_covered" not in kinds(assess(full_request(FACTS, "us_tida", "x"), FACTS))


def test_what_is_not_needed_is_better_left_out(full: Request) -> None:
    more = replace(full, sender=replace(full.sender, phone="+254 20 555 0100", address="12 Example Road"))
    assert kinds(assess(more, FACTS)) == ["more_than_needed", "more_than_needed"]
    needed = full_request(FACTS, "nz_hdca_24", "x", country="NZ")
    assert "more_than_needed" not in kinds(assess(needed, FACTS))


def test_fingerprints_go_to_programmes_alone(full: Request) -> None:
    with_hashes = replace(full, include=replace(full.include, hashes=True))
    assert kinds(assess(with_hashes, FACTS)) == ["hashes_left_out"]
    assert "hashes_left_out" not in kinds(assess(replace(with_hashes, platform="stopncii", law="", channel=""), FACTS))


def test_a_law_of_another_country_counts_only_with_a_link() -> None:
    request = full_request(FACTS, "au_osa_33", "au_esafety", country="KE")
    assert "other_country" in kinds(assess(request, FACTS))
    assert "other_country" not in kinds(
        assess(replace(request, depicted=replace(request.depicted, country="AU")), FACTS)
    )


def test_laws_that_can_be_turned_against_her_say_so() -> None:
    assert "with_lawyer" in kinds(assess(full_request(FACTS, "ng_24", "police"), FACTS))


def test_what_is_used_is_doubted_in_one_sentence_each_and_nothing_else(full: Request) -> None:
    assert assess(full, FACTS).doubts == (
        "TAKE IT DOWN Act: its source leaves open the citation and the date from which it is in force. "
        "So check before sending.",
        "The way “Take It Down form”: its source leaves open the fields of the form and who may file; nobody has "
        "verified that it needs “E-mail address”. So check before sending.",
    )
    # StopNCII, the search engine's list of addresses, and how many addresses one report takes: none is used here.
    by_agent = assess(sender(role="agent", name="Jonas Bekele", authority="written")(full), FACTS)
    assert "only a secondary source says that it needs “Authority to act”" in by_agent.doubts[0]
    two = replace(full, sightings=(*full.sightings, RequestSighting(item=1, url="https://x.com/a/status/2")))
    assert "how many addresses one report takes" in assess(two, FACTS).doubts[1]
    search = assess(replace(full, platform="google_search", law="", channel=""), FACTS)
    assert not [doubt for doubt in search.doubts if "StopNCII" in doubt or "list of its addresses" in doubt]
    programme = replace(FACTS.platforms["stopncii"], unchecked=("stopncii",))
    other = replace(FACTS, platforms={**FACTS.platforms, "stopncii": programme})
    asked = assess(replace(full, platform="stopncii", law="", channel=""), other)
    assert any("whether it takes part in StopNCII" in doubt for doubt in asked.doubts)


def test_what_is_missing_of_the_person_in_the_picture_is_said_to_whoever_asks() -> None:
    mine = without(full_request(FACTS, "", "google_search"), "legal_name")
    (check,) = assess(mine, FACTS).missing
    assert check.says == "Your legal name is not there."
    assert check.remedy.startswith("Add your name as it is in your passport")
    hers = without(full_request(FACTS, "", "google_search", "agent"), "legal_name")
    (check,) = assess(hers, FACTS).missing
    assert check.says == "The legal name of the person in the picture is not there."


def test_that_a_law_may_not_cover_what_was_made_is_said_unless_all_is_real() -> None:
    kenyan = full_request(FACTS, "ke_cmca_37", "police")
    assert assess(kenyan, FACTS).doubts[1] == (
        "Computer Misuse and Cybercrimes Act, 2018, section 37 and pictures that were made or altered: "
        "it does not name made or altered pictures, as far as anybody has read it here. Nobody has verified this. "
        "So check before sending."
    )
    (item,) = kenyan.items
    for made in ("made", "altered", "unknown", "real"):
        found = assess(replace(kenyan, items=(replace(item, made=made),)), FACTS)
        assert any("pictures that were made or altered" in d for d in found.doubts) == (made != "real")
    assert not [d for d in assess(full_request(FACTS, "us_tida", "x"), FACTS).doubts if "made or altered" in d]
    unclear = [law.id for law in FACTS.laws.values() if law.synthetic == "not_clear"]
    assert len(unclear) >= 14
    canada = assess(full_request(FACTS, "ca_162_1", "police"), FACTS).doubts[1]
    assert "altered: Bill C-16 adds" in canada


USED = {
    "citation", "countries", "status", "in_force_since", "who", "binds", "link", "deadline", "elements", "owner",
    "name", "address", "steps", "fields", "costs",
}  # fmt: skip


@pytest.mark.parametrize("law_id", ["", *FACTS.laws])
def test_no_doubt_about_what_is_used_is_left_out(law_id: str) -> None:
    seen = 0
    for law, platform, channel, role in cases(law_id):
        found = assess(full_request(FACTS, law, platform, role, channel=channel), FACTS)
        said = " ".join(found.doubts)
        for fact, parts in (
            *([(found.law, facts.LAW_PARTS)] if found.law else []),
            (found.platform, facts.PLATFORM_PARTS),
            (found.channel, facts.CHANNEL_PARTS),
        ):
            wanted = [parts[part] for part in fact.unchecked if part in USED]
            if fact.confidence is Confidence.UNVERIFIED:
                wanted.append("nobody has verified")
            if fact.confidence is Confidence.SECONDARY:
                wanted.append("was not read")
            seen += len(wanted)
            assert [text for text in wanted if text not in said] == [], (platform, channel)
        asked = [e for e in (*(found.law.elements if found.law else ()), *found.channel.elements) if e.need != "agent"]
        unsure = [e.id for e in asked if e.confidence is Confidence.UNVERIFIED and e.id != "authority_proof"]
        assert (
            not unsure
            or "nobody has verified" in said
            or "what it needs" in said
            or "what it asks for" in said
            or "what a request needs" in said
        )
    assert seen


def test_who_asks_for_another_is_told_what_concerns_that_and_nobody_what_is_for_lawyers(full: Request) -> None:
    def warned(request: Request) -> list[str]:
        return [r.says for r in assess(request, FACTS).risks if r.kind == "warning"]

    agent = sender(role="agent", name="Jonas Bekele", authority="written")(full)
    for_agents = "Platforms read “authorised person” as a parent, a guardian or an attorney."
    assert not [says for says in warned(full) if for_agents in says or "6851" in says]
    assert len([says for says in warned(agent) if for_agents in says]) == 1
    assert not [says for says in warned(agent) if "6851" in says]
    assert any("6851" in says for says in FACTS.laws["us_tida"].warnings)
    british = full_request(FACTS, "uk_osa_20a", "x")
    assert warned(british)
    assert not [says for says in warned(british) if "66A" in says]
    for law, platform in (("us_tida", "x"), ("us_tida", "google_search"), ("uk_osa_20a", "bing"), ("", "host")):
        says = warned(full_request(FACTS, law, platform, "agent"))
        assert len({*says}) == len(says)


def test_a_warning_of_law_and_platform_is_said_once(full: Request) -> None:
    same = FACTS.laws["us_tida"].warnings[0]
    platform = replace(FACTS.platforms["x"], warnings=(same,), warnings_for={})
    other = replace(FACTS, platforms={**FACTS.platforms, "x": platform})
    assert [r.from_ for r in assess(full, other).risks if r.says == same] == ["law us_tida"]


def test_helplines_that_were_added_are_named_where_somebody_may_be_under_18(full: Request) -> None:
    added = replace(helplines.load()[0], name="Added Helpline", who=helplines.Who.MINORS, countries=("KE",))
    minor = replace(full, gate=Gate(age="minor"))
    (refusal,) = assess(minor, replace(FACTS, helplines={"added": added})).refusals
    assert "Added Helpline" in refusal.remedy
    (refusal,) = assess(minor, replace(FACTS, helplines={})).refusals
    assert "Take It Down" in refusal.remedy


# --- What is refused.


@pytest.mark.parametrize("age", ["minor", "unsure"])
@pytest.mark.parametrize("country", ["", "GB", "US", "KE"])
def test_where_somebody_may_be_under_18_nothing_else_is_said(full: Request, age: str, country: str) -> None:
    request = replace(full, gate=Gate(age=age), depicted=Depicted(country=country), sender=Sender())
    found = assess(request, FACTS)
    assert codes(found) == ["maybe_minor"]
    assert (found.checks, found.risks, found.doubts, found.complete) == ((), (), (), False)
    (refusal,) = found.refusals
    assert "nothing wrong" in refusal.says
    first = helplines.for_country(country, minors=True)[0]
    assert first.name in refusal.remedy
    assert all(h.name not in refusal.remedy for h in helplines.load() if h.who is helplines.Who.ADULTS)


def test_without_an_answer_about_the_age_nothing_else_is_said(full: Request) -> None:
    found = assess(replace(full, gate=replace(full.gate, age="")), FACTS)
    assert codes(found) == ["age_not_answered"]
    assert (found.checks, found.risks, found.complete) == ((), (), False)


@pytest.mark.parametrize("question", ["intimate", "satire", "news"])
def test_the_other_questions(full: Request, question: str) -> None:
    for answer, expected in ((None, "not_asked"), (question != "intimate", "not_for_this")):
        found = assess(replace(full, gate=replace(full.gate, **{question: answer})), FACTS)
        assert codes(found) == [expected]
        assert found.checks == ()
        assert not found.complete


@pytest.mark.parametrize(("law", "owns"), [("us_dmca", False), ("", True), ("", False)])
def test_copyright_never_by_default(law: str, owns: bool) -> None:
    platform, channel = next((p, c) for p in FACTS.platforms.values() for c in p.channels if c.purpose == "copyright")
    request = full_request(FACTS, law, platform.id, "owner", channel=channel.id)
    request = replace(request, statements=replace(request.statements, ownership=owns))
    assert "copyright_not_by_default" in codes(assess(request, FACTS))
    chosen = replace(request, law="us_dmca", statements=Statements(ownership=True))
    assert "copyright_not_by_default" not in codes(assess(chosen, FACTS))


def test_no_channel_for_copyright_or_children_is_taken_by_itself() -> None:
    for platform in FACTS.platforms.values():
        fit = [c for c in platform.channels if c.purpose not in ("copyright", "child_safety")]
        if fit:
            assert assess(full_request(FACTS, "", platform.id), FACTS).channel in fit, platform.id


def test_a_law_that_is_coming_is_refused_until_its_day() -> None:
    request = full_request(FACTS, "cl_21719", "google_search", country="CL")
    found = assess(request, FACTS)
    assert codes(found) == ["law_not_in_force"]
    assert "1 December 2026" in found.refusals[0].says
    on_the_day = replace(request, created_at=datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC))
    assert codes(assess(on_the_day, FACTS)) == []


def test_a_law_that_is_not_confirmed_is_refused() -> None:
    assert codes(assess(full_request(FACTS, "dk_copyright_73a", "x"), FACTS)) == ["law_not_confirmed"]


def test_a_law_for_people_elsewhere_is_refused_unless_something_ties_it() -> None:
    request = full_request(FACTS, "eu_dsa_16", "x", country="KE")
    assert codes(assess(request, FACTS)) == []
    assert codes(assess(texts(jurisdiction_link="")(request), FACTS)) == ["law_not_of_country"]
    assert codes(assess(texts(jurisdiction_link="")(full_request(FACTS, "eu_dsa_16", "x", country="SE")), FACTS)) == []
    unknown = replace(texts(jurisdiction_link="")(request), depicted=Depicted(name="A", legal_name="A"))
    assert any("Say in which country you live." in doubt for doubt in assess(unknown, FACTS).doubts)
    other = replace(unknown, sender=replace(unknown.sender, role="agent"))
    assert any("in which country the person in the picture lives." in d for d in assess(other, FACTS).doubts)


def test_a_channel_for_another_country_is_refused() -> None:
    platform, channel = next(
        (p, c) for p in FACTS.platforms.values() for c in p.channels if c.countries == ("IN",) and p.kind != "police"
    )
    request = full_request(FACTS, "", platform.id, channel=channel.id, country="KE")
    assert "not_for_country" in codes(assess(texts(jurisdiction_link="")(request), FACTS))
    home = full_request(FACTS, "", platform.id, channel=channel.id, country="IN")
    assert "not_for_country" not in codes(assess(texts(jurisdiction_link="")(home), FACTS))


@pytest.mark.parametrize(
    ("law", "platform", "says"),
    [
        ("ke_cmca_37", "x", "goes to the police, not to X"),
        ("us_tida", "police", "is for platforms"),
        ("au_osa_33", "x", "goes to its regulator"),
        ("fr_cp_226_8_1", "kr_police", "goes to the police, not to Korean police"),
    ],
)
def test_a_law_that_is_for_somebody_else_is_refused(law: str, platform: str, says: str) -> None:
    found = assess(full_request(FACTS, law, platform), FACTS)
    assert [r.says for r in found.refusals if r.code == "wrong_addressee" and says in r.says]


def test_the_ways_for_children_are_not_for_adults() -> None:
    found = assess(full_request(FACTS, "", "take_it_down"), FACTS)
    assert codes(found) == ["for_minors_only"]


@pytest.mark.parametrize("image", ["blurred", "full"])
@pytest.mark.parametrize(
    ("law", "platform", "country", "refused"),
    [
        ("us_tida", "x", "KE", False),
        ("us_tida", "x", "KR", True),
        ("kr_tba_22_5", "x", "KE", True),
        ("", "kr_police", "KR", True),
        ("", "stopncii", "KE", True),
        ("", "us_ftc", "US", True),
        ("", "uk_ofcom", "GB", True),
        ("", "police", "KE", False),
    ],
)
def test_where_a_picture_is_never_put_in(image: str, law: str, platform: str, country: str, refused: bool) -> None:
    request = full_request(FACTS, law, platform, country=country)
    assert "image_not_here" not in codes(assess(request, FACTS))
    found = assess(replace(request, include=replace(request.include, image=image)), FACTS)
    assert ("image_not_here" in codes(found)) == refused


def test_who_may_ask() -> None:
    request = full_request(FACTS, "us_tida", "x", channel="take_it_down")
    for role, allowed in (("depicted", True), ("agent", True), ("anyone", False), ("owner", False), ("", False)):
        found = assess(replace(request, sender=replace(request.sender, role=role)), FACTS)
        assert ("role" in found.missing_elements) != allowed, role
    found = assess(replace(request, sender=replace(request.sender, role="anyone")), FACTS)
    assert found.missing[0].says == (
        "TAKE IT DOWN Act takes a request only from the person in the picture or somebody who acts for that person or "
        "a parent or guardian."
    )
    nobody = replace(full_request(FACTS, "us_tida", "x", "agent"), depicted=Depicted(country="KE"))
    assert "for whom you act" in next(c.says for c in assess(nobody, FACTS).missing if c.element == "role")


def test_authority_is_asked_of_agents_alone() -> None:
    laws = [law.id for law in FACTS.laws.values() for e in law.elements if e.id == "authority_proof"]
    assert laws
    for role in ("depicted", "agent"):
        checks = assess(full_request(FACTS, "us_tida", "x", role), FACTS).checks
        assert ("authority_proof" in {c.element for c in checks}) == (role == "agent")


def test_blank_is_not_there(full: Request) -> None:
    blank = " \u00a0\t\n"
    request = replace(
        full,
        depicted=Depicted(name=blank, country="KE"),
        sender=Sender(role="depicted", name=blank, email=blank),
        signature=Signature(kind="typed", text=blank),
        texts=Texts(relevant_information=blank),
        items=(RequestItem(identification=blank),),
        sightings=(RequestSighting(url=blank),),
        recipient=RecipientOverride(name=blank),
        earlier=Earlier(),
    )
    assert {*assess(request, FACTS).missing_elements} == {
        "signature",
        "content_identification",
        "locators",
        "relevant_information",
        "contact_email",
    }


def test_every_sentence_is_short_and_plain() -> None:
    """Of all laws and platforms: what our own rules say; the facts have their own test."""
    seen: set[str] = set()
    for law_id, platform_id in itertools.product(("", "us_tida", "eu_dsa_16", "us_dmca", "au_osa_33"), FACTS.platforms):
        empty = Request(
            law=law_id,
            platform=platform_id,
            gate=Gate(age="adults", intimate=True, satire=False, news=False),
            sender=Sender(role="agent", country="KR", identity="withhold"),
            depicted=Depicted(country="KE"),
            include=replace(Request().include, image="full", hashes=True),
        )
        found = assess(empty, FACTS)
        seen |= {s for c in found.checks for s in (c.says, c.remedy)}
        seen |= {s for r in found.refusals for s in (r.says, r.remedy)}
    seen.discard("")
    assert len(seen) > 60
    for text in seen:
        assert text[-1] in ".?”", text
        assert len(text) < 330, text
        assert not {*"!{}[]_"} & {*text}, text


def _platforms_that_hold_posts() -> list[Platform]:
    return [p for p in FACTS.platforms.values() if p.kind in complete.HOLD_POSTS and p.urls]


def test_a_made_up_post_of_each_platform_is_not_weak() -> None:
    """The addresses in the shared requests are what people paste; the rules must know them."""
    from tests.unit.packet_requests import POSTS

    known = [p.id for p in _platforms_that_hold_posts() if p.id in POSTS]
    assert len(known) >= 5
    for id in known:
        found = assess(lean(full_request(FACTS, "", id)), FACTS)
        assert not [says for element, says in weak(found) if element == "locators"], id
