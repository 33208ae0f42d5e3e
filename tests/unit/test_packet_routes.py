"""The ways to a removal: what a person in each country would expect, in order, with reasons; and what is refused."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from desktop.packets import facts
from desktop.packets.complete import assess
from desktop.packets.facts import CHECK, countries_of
from desktop.packets.request import Gate, Request, RequestSighting, Statements
from desktop.packets.routes import Route, routes
from desktop.safety import helplines
from desktop.safety.helplines import Confidence
from tests.unit.packet_requests import full_request

FACTS = facts.load()
ADULTS = Gate(age="adults", intimate=True, satire=False, news=False)
# The order in which they come; complaints (regulator) can also be the way itself, right after the laws.
ORDER = ["platform", "law", "search", "host", "hash_programme", "police", "court", "regulator", "support"]


def asked(platform: str = "x", country: str = "", role: str = "depicted", law: str = "") -> Request:
    request = full_request(FACTS, law, platform, role, country=country or "KE")
    return replace(
        request,
        texts=replace(request.texts, jurisdiction_link=""),
        depicted=replace(request.depicted, country=country),
        sender=replace(request.sender, country=country),
    )


def seen_at(request: Request, *urls: str) -> Request:
    return replace(request, platform="", law="", sightings=tuple(RequestSighting(item=1, url=url) for url in urls))


def good(request: Request) -> list[Route]:
    return [r for r in routes(request, FACTS) if not r.refused]


def refused(request: Request) -> list[Route]:
    return [r for r in routes(request, FACTS) if r.refused]


def position(found: list[Route], match: Callable[[Route], bool]) -> int:
    return next(n for n, r in enumerate(found) if match(r))


def test_kenya_and_x() -> None:
    found = good(asked("x", "KE"))
    first = found[0]
    assert (first.kind, first.law_id, first.platform_id, first.channel_id) == (
        "platform",
        "us_tida",
        "x",
        "take_it_down",
    )
    assert "No account is needed." in first.why
    assert any("does not ask where somebody lives" in why for why in first.why)
    assert (
        first.due == "as soon as possible, but not later than 48 hours (by law, from when a valid request is received)"
    )
    assert first.missing == ()
    assert any(r.kind == "police" and r.law_id == "ke_cmca_37" for r in found)
    assert any("Access Now" in r.helpline for r in found)
    assert any(r.platform_id == "us_ftc" for r in found)
    assert not [r for r in found if r.law_id in ("eu_dsa_16", "uk_osa_20a", "us_dmca", "in_it_rules_3_2_b")]


@pytest.mark.parametrize(
    ("country", "law", "platform"),
    [
        ("FR", "eu_dsa_16", "x"),
        ("SE", "eu_dsa_16", "x"),
        ("DE", "eu_gdpr_17", "x"),
        ("GB", "uk_osa_20a", "x"),
        ("GB", "uk_gdpr_17", "x"),
        ("GB", "uk_soa_66b", "police"),
        ("AU", "au_osa_33", "au_esafety"),
        ("IN", "in_it_rules_3_2_b", "x"),
        ("NZ", "nz_hdca_24", "x"),
        ("ZA", "za_cyber_20", "court"),
        ("KR", "kr_14_2", "kr_police"),
        ("ES", "es_aepd", "es_aepd"),
        ("FR", "fr_cp_226_8_1", "fr_pharos"),
        ("CA", "ca_162_1", "police"),
        ("CA", "ca_bc_iipa", "ca_bc_crt"),
        ("MX", "mx_olimpia", "police"),
        ("IS", "is_199a", "police"),
        ("CL", "cl_161a", "police"),
        ("BR", "br_mci_21", "x"),
        ("PH", "ph_ra9995", "police"),
    ],
)
def test_the_law_of_her_country_is_among_the_ways(country: str, law: str, platform: str) -> None:
    assert [r for r in good(asked("x", country)) if (r.law_id, r.platform_id) == (law, platform)]


@pytest.mark.parametrize(
    "country", sorted({c for law in FACTS.laws.values() for c in countries_of(law.countries)} - {"*"})
)
def test_in_every_country_the_ways_come_in_order_with_reasons(country: str) -> None:
    found = good(asked("x", country))
    assert {"platform", "search", "hash_programme", "police", "support"} <= {r.kind for r in found}
    assert {"google_search", "bing", "stopncii"} <= {r.platform_id for r in found}
    in_order = [r for r in found if r.kind not in ("regulator", "support")]
    assert [ORDER.index(r.kind) for r in in_order] == sorted(ORDER.index(r.kind) for r in in_order)
    helped = [bool(r.helpline) for r in found]
    assert helped == sorted(helped)
    for r in found:
        assert r.title
        assert r.why
        assert r.helpline or r.due
        assert r.helpline or FACTS.platforms[r.platform_id].channel(r.channel_id)
        law = FACTS.laws.get(r.law_id)
        assert law is None or law.in_force(datetime.date(2026, 11, 28))
        assert law is None or country in countries_of(law.countries) or law.link == "platform_serves"
        assert law is None or law.offer == "normal"
    keys = [(r.platform_id, r.channel_id, r.law_id, r.helpline) for r in found]
    assert len({*keys}) == len(keys)


def test_the_offence_is_named_where_the_notice_must_show_that_it_is_illegal() -> None:
    (route,) = [r for r in good(asked("x", "FR")) if r.law_id == "eu_dsa_16"]
    assert any("Code pénal, article 226-8-1" in why for why in route.why)


def test_the_quicker_law_comes_first() -> None:
    found = good(asked("x", "GB"))
    assert position(found, lambda r: r.law_id == "uk_osa_20a") < position(found, lambda r: r.law_id == "uk_gdpr_17")


def test_search_engines_and_the_right_to_erasure() -> None:
    found = good(asked("x", "DE"))
    engines = [r for r in found if r.kind == "search"]
    assert len(engines) >= 2
    assert all("does not delete it" in r.why[0] for r in engines)
    assert all(any("right to erasure" in why for why in r.why) for r in engines)
    assert not any("right to erasure" in why for r in good(asked("x", "KE")) for why in r.why)


def test_a_website_that_is_no_platform_is_asked_through_who_carries_it() -> None:
    found = good(seen_at(asked("x", "DE"), "https://leaks.example/a/1"))
    assert [r.platform_id for r in found if r.kind == "host"] == ["host", "cloudflare", "registrar"]
    assert next(r for r in found if r.platform_id == "host").law_id == "eu_dsa_16"
    cloudflare = next(r for r in found if r.platform_id == "cloudflare")
    assert any("Lumen" in cost for cost in cloudflare.costs)
    assert cloudflare.law_id == ""  # the right to erasure is not made for this
    assert not [r for r in good(asked("x", "DE")) if r.kind == "host"]


def test_each_platform_where_it_was_seen_has_its_own_way() -> None:
    found = good(seen_at(asked("x", "KE"), "https://www.reddit.com/r/a/comments/b/c/", "https://x.com/a/status/1"))
    own = [(r.platform_id, r.channel_id) for r in found if r.kind == "platform"]
    assert own[:2] == [("reddit", "ncii"), ("x", "take_it_down")]  # the best on each before the second best on any
    assert ("x", "intimate_media") in own[2:]


def test_forty_sightings_on_six_platforms() -> None:
    places = [
        "https://x.com/a/status/{}",
        "https://www.facebook.com/a/posts/{}",
        "https://t.me/channel/{}",
        "https://www.pornhub.com/view_video.php?viewkey={}",
        "https://pictures.example/albums/{}",
        "https://www.reddit.com/r/a/comments/b{}/c/",
    ]
    found = good(seen_at(asked("x", "KE"), *(places[n % 6].format(n) for n in range(40))))
    first = {r.platform_id: r for r in reversed(found) if r.kind == "platform"}
    assert [r.platform_id for r in found[:6]] == ["x", "facebook", "telegram", "pornhub", "other_platform", "reddit"]
    assert first["x"].why[0] == "7 of the 40 places where it was seen are there."
    assert first["reddit"].why[0] == "6 of the 40 places where it was seen are there."
    assert first["other_platform"].why[0] == "For what is on pictures.example."
    programme = next(r for r in found if r.kind == "hash_programme")
    assert "Takes part in StopNCII: X (check before sending), Facebook (since 2024, check" in programme.why[0]
    assert programme.why[1].startswith("Does not take part: Telegram")
    assert not [why for why in programme.why if "It is not known" in why]  # of a website that nobody knows


def test_a_place_that_nobody_knows_is_not_lost() -> None:
    seen = RequestSighting(item=1, platform="Viber", handle="@a", posted_at="2026-11-27")
    found = good(replace(asked("x", "TR"), platform="", sightings=(seen, replace(seen, platform="telegram"))))
    other = next(r for r in found if r.platform_id == "other_platform")
    assert other.why[:2] == ("For what is on Viber.", "1 of the 2 places where it was seen are there.")
    assert {"platform", "search", "hash_programme", "police", "support"} <= {r.kind for r in found}
    law = next(r for r in found if r.platform_id == "other_platform" and r.law_id == "us_tida")
    assert "Nobody has verified that another platform follows TAKE IT DOWN Act: check before sending." in law.doubts
    assert not [r for r in found if r.platform_id == "aggregator"]


@pytest.mark.parametrize(
    ("country", "laws"),
    [
        ("ES", ["eu_dsa_16", "us_tida", "eu_gdpr_17"]),
        ("BR", ["br_mci_21", "us_tida"]),
        ("NZ", ["nz_hdca_24", "us_tida"]),
        ("US", ["us_tida"]),
    ],
)
def test_the_law_of_the_country_comes_before_one_from_elsewhere(country: str, laws: list[str]) -> None:
    found = good(seen_at(asked("telegram", country), "https://t.me/example/12"))
    assert [r.law_id for r in found if r.kind == "law"] == laws


def test_whether_a_law_covers_what_was_made_is_said() -> None:
    british = {r.law_id: r for r in good(asked("x", "GB"))}
    assert "It covers pictures that were made or altered too." in british["us_tida"].why
    assert FACTS.laws["uk_osa_20a"].synthetic_says in british["uk_osa_20a"].why
    kenyan = next(r for r in good(asked("x", "KE")) if r.law_id == "ke_cmca_37")
    assert any("pictures that were made or altered: it does not name" in doubt for doubt in kenyan.doubts)
    real = asked("x", "GB")
    real = replace(real, items=tuple(replace(item, made="real") for item in real.items))
    assert not [r for r in good(real) if any("made or altered" in why for why in r.why)]


def test_a_time_limit_is_said_of_those_alone_whom_the_law_obliges() -> None:
    searched = routes(asked("google_search", "KE", law="us_tida"), FACTS)
    (google,) = [r for r in searched if (r.platform_id, r.law_id) == ("google_search", "us_tida")]
    assert google.due == "no time limit is stated"
    assert any("not obviously covered" in cost for cost in google.costs)
    assert "48 hours" in next(r.due for r in searched if r.law_id == "us_tida" and r.kind in ("law", "platform"))


def test_what_binds_a_search_engine_is_named() -> None:
    british = next(r for r in good(asked("x", "GB")) if r.platform_id == "google_search")
    assert "In the United Kingdom, Online Safety Act 2023, section 20A obliges search engines too." in british.why
    kenyan = next(r for r in good(asked("x", "KE")) if r.platform_id == "google_search")
    assert not [why for why in kenyan.why if "obliges" in why]


def test_a_step_that_follows_a_deadline_and_a_refusal_is_said_once() -> None:
    ftc = next(r for r in good(asked("x", "KE")) if r.platform_id == "us_ftc")
    assert len([why for why in ftc.why if "refuses a valid request" in why]) == 1
    assert len({*ftc.why}) == len(ftc.why)


def test_a_way_that_is_not_for_the_sender_says_for_whom_it_is() -> None:
    programme = next(r for r in good(asked("x", "KE", role="agent")) if r.platform_id == "stopncii")
    assert "role" in programme.missing
    assert any("only from the person in the picture." in why for why in programme.why)


@pytest.mark.parametrize("role", ["depicted", "agent", "guardian", "owner", "anyone", ""])
@pytest.mark.parametrize("country", ["", "KE", "GB", "DE", "KR", "IN", "BR", "TR"])
def test_nobody_is_called_she(role: str, country: str) -> None:
    request = replace(asked("x", country, role=role or "depicted"), platform="")
    request = seen_at(
        replace(request, sender=replace(request.sender, role=role)), "https://x.com/a/status/1", "a.example"
    )
    found = routes(request, FACTS)
    said = [text for r in found for text in (r.title, *r.why, *r.costs, *r.doubts, r.refused)]
    for law_id in ("", "us_tida", "uk_osa_20a", "eu_gdpr_17", "in_it_rules_3_2_b", "kr_14_2", "za_cyber_20"):
        for platform in ("x", "police", "google_search", "court"):
            one = assess(replace(request, law=law_id, platform=platform, channel=""), FACTS)
            said += [text for c in one.checks for text in (c.says, c.remedy, c.asked)]
            said += [text for r in one.refusals for text in (r.says, r.remedy)]
            said += [*(r.says for r in one.risks), *one.doubts]
    assert len(said) > 100
    assert [text for text in said if re.search(r"\b(?:she|hers?|herself|KE|GB|DE|KR|IN|BR)\b", text)] == []


def test_what_a_way_lacks_counts_its_own_sightings_alone() -> None:
    request = seen_at(asked("x", "KE"), "https://www.snapchat.com/spotlight/a", "https://x.com/a/status/1")
    handles = replace(request, sightings=(request.sightings[0], replace(request.sightings[1], handle="@a")))
    found = {f"{r.platform_id}/{r.channel_id}": r for r in good(handles)}
    assert "username" in found["snapchat/in_app"].missing
    assert found["x/take_it_down"].missing == ()
    bare = {r.channel_id: r for r in good(replace(handles, statements=Statements()))}
    assert bare["take_it_down"].missing == ("nonconsent_statement",)


def test_a_messenger_without_addresses_is_known_by_its_name() -> None:
    seen = RequestSighting(item=1, platform="whatsapp", handle="+254 700 000000", posted_at="2026-11-27")
    found = good(replace(asked("x", "KE"), platform="", sightings=(seen,)))
    assert (found[0].platform_id, found[0].missing) == ("whatsapp", ())
    assert not [r for r in found if r.platform_id == "other_platform"]


def test_thousands_of_sightings_take_a_second() -> None:
    request = asked("x", "KE")
    many = tuple(RequestSighting(item=1, platform="X", note=str(n)) for n in range(19_999))
    last = RequestSighting(item=1, url="https://x.com/a/status/1", platform="X")
    started = time.process_time()
    found = good(replace(request, sightings=(*many, last)))
    assert time.process_time() - started < 5  # about 0.5 s here
    assert found[0].missing == ()  # the only address is the last


def test_what_is_not_verified_says_so() -> None:
    found = good(asked("x", "KE"))
    assert any(CHECK in doubt for r in found for doubt in r.doubts)
    for r in found:
        if not r.platform_id:
            continue
        facts_used = [FACTS.laws[r.law_id]] if r.law_id else []
        for fact in (*facts_used, FACTS.platforms[r.platform_id]):
            if fact.confidence is not Confidence.VERIFIED:
                assert any(doubt.startswith(fact.name) for doubt in r.doubts)
    police = next(r for r in found if r.kind == "police")
    assert any(CHECK in cost for cost in police.costs)


def test_no_way_for_children_is_shown_to_adults() -> None:
    for country in ("KE", "US", "GB"):
        found = routes(seen_at(asked("x", country), "https://t.me/example/12"), FACTS)
        ways = [FACTS.platforms[r.platform_id].channel(r.channel_id) for r in found if r.platform_id]
        assert ways
        assert not [w for w in ways if w is None or w.purpose == "child_safety"]


def test_copyright_is_refused_with_the_reason_unless_it_was_chosen() -> None:
    (route,) = [r for r in routes(asked("x", "US"), FACTS) if r.law_id == "us_dmca"]
    assert "never the first choice" in route.refused
    assert routes(asked("x", "US"), FACTS)[-1] == route
    assert any("perjury" in cost for cost in route.costs)
    chosen = asked("x", "US", "owner", law="us_dmca")
    (route,) = [r for r in routes(chosen, FACTS) if r.law_id == "us_dmca"]
    assert not route.refused
    not_hers = replace(chosen, statements=Statements())
    assert [r.refused for r in routes(not_hers, FACTS) if r.law_id == "us_dmca" and "never" in r.refused]


@pytest.mark.parametrize(
    ("country", "law", "why"),
    [
        ("CL", "cl_21719", "1 December 2026"),
        ("DK", "dk_copyright_73a", "not confirmed"),
        ("SE", "eu_2024_1385", "not in force yet"),
        ("NG", "ng_24", "lawyer"),
        ("UG", "ug_cma", "lawyer"),
        ("TN", "tn_2022_54", "lawyer"),
    ],
)
def test_what_is_refused_comes_last_with_the_reason(country: str, law: str, why: str) -> None:
    found = routes(asked("x", country), FACTS)
    (route,) = [r for r in found if r.law_id == law]
    assert why in route.refused
    flags = [bool(r.refused) for r in found]
    assert flags == sorted(flags)


def test_the_police_are_there_where_the_law_is_dangerous() -> None:
    assert [r.platform_id for r in good(asked("x", "NG")) if r.kind == "police"] == ["police"]


def test_the_way_that_was_chosen_by_hand_is_refused_with_the_reason() -> None:
    (route,) = [r for r in refused(asked("x", "KE", law="ke_cmca_37")) if r.law_id == "ke_cmca_37"]
    assert "goes to the police" in route.refused
    (route,) = [r for r in refused(asked("x", "KE", law="eu_dsa_16")) if r.law_id == "eu_dsa_16"]
    assert "the European Union, and you live in Kenya." in route.refused
    for_her = asked("x", "KE", law="eu_dsa_16", role="agent")
    (route,) = [r for r in refused(for_her) if r.law_id == "eu_dsa_16"]
    assert "and the person in the picture lives in Kenya." in route.refused


def test_without_a_country_no_law_is_guessed() -> None:
    found = good(asked("x"))
    assert {FACTS.laws[r.law_id].link for r in found if r.law_id} == {"platform_serves"}
    police = next(r for r in found if r.kind == "police")
    assert (police.platform_id, police.law_id) == ("police", "")
    assert any("in which country" in doubt for doubt in police.doubts)


def test_an_empty_draft_of_adults_has_ways_too() -> None:
    found = good(Request(gate=ADULTS))
    assert {"platform", "search", "police", "support"} <= {r.kind for r in found}
    assert all("role" in r.missing for r in found if r.platform_id)


def test_someone_who_may_not_file_is_told_what_is_missing() -> None:
    found = good(asked("x", "KE", "anyone"))
    first = found[0]
    assert first.channel_id == "intimate_media"  # the way that takes it from anyone
    assert "role" in next(r for r in found if r.channel_id == "take_it_down").missing


def test_a_picture_that_is_to_be_put_in_refuses_no_way() -> None:
    request = asked("x", "KR")
    with_image = replace(request, include=replace(request.include, image="full"))
    assert routes(with_image, FACTS) == routes(request, FACTS)


# --- Where there is no packet.


@pytest.mark.parametrize("age", ["minor", "unsure"])
@pytest.mark.parametrize("country", ["", "GB", "US", "KE", "KR"])
@pytest.mark.parametrize("chosen", ["x", "telegram", "stopncii"])
def test_where_somebody_may_be_under_18_only_the_ways_for_that_are_shown(age: str, country: str, chosen: str) -> None:
    request = replace(asked(chosen, country), gate=Gate(age=age))
    found = routes(request, FACTS)
    assert found
    for r in found:
        assert r.kind in ("child_safety", "support")
        assert (r.law_id, r.costs, r.missing, r.due, r.refused) == ("", (), (), "", "")
        if r.platform_id:
            channel = FACTS.platforms[r.platform_id].channel(r.channel_id)
            assert channel is not None
            assert channel.purpose == "child_safety"
        else:
            assert r.helpline in {h.name for h in helplines.for_country(country, minors=True)}
    assert any("Take It Down" in r.title for r in found)
    assert not any("StopNCII" in r.title for r in found)
    assert not assess(replace(request, platform="take_it_down", law="", channel=""), FACTS).complete


def test_a_platforms_own_way_for_children_comes_first() -> None:
    request = replace(seen_at(asked("x", "GB"), "https://t.me/example/12"), gate=Gate(age="unsure"))
    assert routes(request, FACTS)[0].platform_id == "telegram"


def test_unanswered_asks_first_and_shows_nothing_else() -> None:
    (route,) = routes(Request(), FACTS)
    assert route.kind == "question"
    assert "under 18" in route.title
    assert route.refused


@pytest.mark.parametrize("change", [{"satire": True}, {"news": True}, {"intimate": False}, {"satire": None}])
def test_not_for_satire_news_or_what_is_not_intimate(change: dict[str, Any]) -> None:
    found = routes(replace(asked("x", "KE"), gate=replace(ADULTS, **change)), FACTS)
    assert found[0].kind == "question"
    assert found[0].refused
    assert {r.kind for r in found[1:]} == {"support"}
    assert not [r for r in found if r.platform_id]


# --- Helplines.


def test_helplines_can_be_handed_in() -> None:
    assert routes(asked("x", "KE"), FACTS, helplines.load()) == routes(asked("x", "KE"), FACTS)
    only = [h for h in helplines.load() if h.name == "Chayn"]
    assert [r.helpline for r in routes(asked("x", "KE"), FACTS, only) if r.helpline] == ["Chayn"]
    assert not [r for r in routes(asked("x", "KE"), FACTS, ()) if r.helpline]


def test_nobody_is_named_twice() -> None:
    for country in ("US", "KR", "ES", "IN", "AU"):
        found = good(asked("x", country))
        titles = [r.helpline for r in found if r.helpline]
        names = {FACTS.platforms[r.platform_id].name for r in found if r.platform_id}
        assert not names & {*titles}
    assert "StopNCII.org" not in [r.helpline for r in good(asked("x", "KE"))]
