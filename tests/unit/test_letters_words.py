"""What the letters and the sheet say in each language: times, authority, countries; each thing once, none in vain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from desktop.packets import catalogue, complete, countries, facts, letter_bodies, letters
from desktop.packets.complete import Risk
from desktop.packets.facts import Confidence, Deadline, Next
from desktop.packets.request import LANGUAGES, Include, Request, Signature, Statements
from desktop.safety import helplines
from detectors.errors import SetupError
from tests.unit.packet_requests import full_request
from tests.unit.test_letters import FACTS, assessed, custody, everywhere, examined, request, text

EN = catalogue.catalogue("en")


def plain(assessment: complete.Assessment) -> str:
    """The sheet's text, without setting its page."""
    from desktop.packets import letter_sheet

    letter = letter_bodies.Letter(catalogue.catalogue(assessment.request.language), assessment, FACTS, draft=False)
    return catalogue.as_text(letter_sheet.body(letter, whole=True), letter.words.colon)


# --- Times.

TIMED = [("us_tida", "x"), ("uk_osa_20a", "x"), ("nz_hdca_24", "host"), ("in_it_rules_3_2_b", "x"), ("uk_gdpr_17", "x")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("law", "platform"), TIMED)
def test_the_time_that_a_law_sets_is_in_the_letters_language(law: str, platform: str, language: str) -> None:
    a = assessed(law, platform, language=language)
    limit = a.law.deadline  # type: ignore[union-attr]
    assert limit is not None
    unit = "hours" if limit.hours else "months"
    words = catalogue.catalogue(language)
    sentence = words.text(f"notice.deadline_{unit}").replace(f"{{{unit}}}", str(getattr(limit, unit)))
    own = words.text("notice.deadline_own").partition("{")[0]
    for said in (text(a), plain(a)):
        assert (sentence in said) == (said != text(a) or limit.confidence is not Confidence.UNVERIFIED)
        # The words of the facts are English, and may say what only her lawyer should read.
        assert limit.words in sentence or limit.words not in said.partition(words.text("sheet.check"))[0]
    assert sentence not in text(a) or own not in text(a), "one time, not two"


def test_days_are_said_too_and_a_service_that_is_not_bound_is_told_of_no_time() -> None:
    a = assessed()
    days = Deadline(0, 14, 0, "", "two weeks", Confidence.VERIFIED)
    law = replace(a.law, deadline=days)  # type: ignore[type-var]
    assert EN.text("notice.deadline_days").replace("{days}", "14") in text(replace(a, law=law))
    channel = replace(a.channel, deadline_hours=None)
    elsewhere = replace(a.platform, laws=())
    unbound = replace(a, law=replace(law, binds=()), platform=elsewhere, channel=channel)  # type: ignore[type-var]
    assert "14" not in re.findall(r"\d+", plain(unbound).partition(EN.text("sheet.after"))[2].partition("\n\n")[0])
    assert EN.text("sheet.after_none") in plain(unbound)
    assert EN.text("sheet.after_own").replace("{hours}", "24") in plain(
        replace(unbound, channel=replace(channel, deadline_hours=24))
    )


# --- Authority, countries, the law's name.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["written", "attorney", "parent"])
def test_by_what_authority_somebody_acts_is_said_in_words(kind: str, language: str) -> None:
    full = request(role="guardian" if kind == "parent" else "agent", language=language)
    full = replace(full, sender=replace(full.sender, authority=kind, authority_note="", authority_date=None))
    words = catalogue.catalogue(language)
    line = f"{words.text('element.authority_proof')}{words.colon}{words.text(f'by_authority.{kind}')}"
    assert line in text(complete.assess(full, FACTS))


def country_problems(names: Any) -> list[str]:
    """Which countries lack a name in which language, and which that our data knows are not there at all."""
    known = {
        *(c for law in FACTS.laws.values() for c in facts.countries_of(law.countries)),
        *(c for p in FACTS.platforms.values() for c in facts.countries_of(p.countries)),
        *(c for h in helplines.load() for c in facts.countries_of(h.countries)),
    } - {"*"}
    assert len(known) > 40
    lacking = [
        f"{code}: {sorted(set(LANGUAGES) - set(row))}" for code, row in names.items() if set(LANGUAGES) - set(row)
    ]
    empty = [f"{code}.{language}" for code, row in names.items() for language, name in row.items() if not name.strip()]
    return [*lacking, *empty, *sorted(known - set(names)), *([] if len(names) >= 249 else [f"{len(names)} countries"])]


def test_every_country_has_a_name_in_every_language() -> None:
    names = countries.names()
    assert country_problems(names) == []
    short = {code: dict(row) for code, row in names.items() if code != "KE"}
    del short["IN"]["hi"]
    short["FR"]["sw"] = " "
    assert country_problems(short) == ["IN: ['hi']", "FR.sw", "KE"]


def test_a_letter_names_the_country_in_its_language() -> None:
    platform, channel = next(
        (p.id, c.id) for p in FACTS.platforms.values() for c in p.channels if any(e.id == "country" for e in c.elements)
    )
    full = full_request(FACTS, "", platform, channel=channel)
    for language in LANGUAGES:
        words = catalogue.catalogue(language)
        a = complete.assess(replace(full, language=language), FACTS)
        name = countries.country_name(full.depicted.country, language)
        assert len(name) > 2 or language == "ko"
        assert f"{words.text('element.country')}{words.colon}{name}" in text(a)
    assert countries.country_name("QZ", "en") == "QZ"


def test_missing_names_of_countries_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(countries, "FILE", tmp_path / "none.toml")
    countries.names.cache_clear()
    with pytest.raises(SetupError, match="countries_damaged"):
        countries.country_name("KE", "en")
    countries.names.cache_clear()


@pytest.mark.parametrize(("law", "platform"), [case for case in everywhere() if case[0]])
def test_a_law_is_named_once_in_its_line(law: str, platform: str) -> None:
    a = assessed(law, platform)
    assert a.law is not None
    letter = letter_bodies.Letter(EN, a, FACTS, draft=False)
    line = catalogue.runs_text(letter_bodies.law_line(letter))
    assert line.count(a.law.name) == 1
    assert a.law.citation in line
    assert a.law.gloss["en"] in line


def test_marks_between_words_are_those_of_the_language() -> None:
    french = plain(assessed(language="fr"))
    wrong = re.compile(r"^\s*(?:- )?[\w’ ]{1,40}: ", re.MULTILINE)
    # What the facts say on the sheet is English.
    assert wrong.search("À: X")
    assert wrong.findall(text(assessed("us_tida", "x", "agent", language="fr"))) == []
    assert f"{catalogue.catalogue('fr').text('common.to')}\u00a0: " in french
    arabic = text(assessed("us_tida", "x", "agent", language="ar"))
    authority = catalogue.catalogue("ar").text("by_authority.attorney")
    assert f"{authority}، Letter of authority" in arabic


# --- The sheet.


def test_the_sheet_goes_in_the_order_in_which_it_is_used() -> None:
    a = complete.assess(complete.without(request("us_dmca", role="owner"), "signature"), FACTS)
    risks = (
        *a.risks,
        Risk("warning", "A warning.", Confidence.VERIFIED, ""),
        Risk("fee", "A fee.", Confidence.VERIFIED, ""),
    )
    said = plain(replace(a, risks=(*risks, *risks), doubts=("A doubt: check before sending.",)))
    parts = ["way", "missing", "check", "costs", "known", "fields", "after", "help"]
    places = [said.index(f"\n{EN.text(f'sheet.{part}')}\n---") for part in parts]
    assert places == sorted(places)
    costs, known = said[places[3] : places[4]], said[places[4] : places[5]]
    assert "A fee." in costs
    assert "A warning." not in costs
    assert "A warning." in known
    assert said.count("A fee.") == said.count("A warning.") == 1


@pytest.mark.parametrize(("law", "platform"), everywhere())
def test_no_sentence_of_the_facts_is_twice_on_the_sheet(law: str, platform: str) -> None:
    said = plain(assessed(law, platform)).partition(EN.text("sheet.fields"))[0]
    lines = [line for line in said.splitlines() if line.startswith(("- ", "[ ] "))]
    assert len(lines) == len(set(lines))
    after = (
        plain(assessed(law, platform)).rpartition(EN.text("sheet.after_next"))[2].partition(EN.text("sheet.help"))[0]
    )
    asked = [line.partition(": ")[0] for line in after.splitlines() if line.startswith("- ")]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_no_native_speaker_has_read_it_is_said_to_the_sender_alone(language: str) -> None:
    sentence = catalogue.catalogue(language).text("sheet.translation")
    a = assessed("", "police", "agent", language=language)
    assert (f"[ ] {sentence}" in plain(a)) == (language != "en")
    assert sentence not in text(a)


def test_a_statement_to_copy_holds_what_the_law_wants_with_it() -> None:
    from desktop.packets import letter_sheet

    a = assessed()
    letter = letter_bodies.Letter(EN, a, FACTS, draft=False)
    values = [field.value for field in a.channel.fields]
    stated = letter_sheet.field_text(letter, "statement")
    assert a.request.texts.relevant_information in stated
    assert a.request.sightings[0].url not in stated, "it has a field of its own"
    less = tuple(f for f in a.channel.fields if f.value != "locators")
    assert "locators" in values
    without = replace(letter, assessment=replace(a, channel=replace(a.channel, fields=less)))
    assert a.request.sightings[0].url in letter_sheet.field_text(without, "statement")


# --- No sentence in vain.


def used(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The keys of all sentences that any letter or sheet asks for."""
    keys: set[str] = set()
    say = catalogue.Catalogue.text

    def noted(self: catalogue.Catalogue, key: str) -> str:
        keys.add(key)
        return say(self, key)

    monkeypatch.setattr(catalogue.Catalogue, "text", noted)
    monkeypatch.setattr(letters, "_compile", lambda *_: b"")
    for a in _all_kinds():
        letters.documents(
            a,
            FACTS,
            draft=True,
            custody=custody(),
            signer="a1b2",
            images={1: b"x"} if a.request.include.image != "none" else {},
        )
        letters.sheet(a, FACTS)
    return keys


def _all_kinds() -> Iterator[complete.Assessment]:
    from desktop.packets.letter_records import shown

    for law, platform in everywhere():
        for role in ("depicted", "agent"):
            yield assessed(law, platform, role, signature=Signature(kind="by_hand"))
    for role in ("guardian", "owner", "anyone"):
        yield assessed("us_dmca", "google_search", role)
    for platform in FACTS.platforms.values():
        for channel in platform.channels:
            yield assessed("", platform.id, channel=channel.id)
    yield complete.assess(Request(law="us_tida", platform="x"), FACTS)
    yield assessed("us_dmca", "google_search", "owner", statements=replace(Statements(), ownership=True))
    full = request("", "police", "agent", include=Include(findings=True, hashes=True))
    for number, verdict in enumerate(shown.VERDICTS):
        found = replace(examined(), verdict=verdict)
        states = tuple({**found.findings[0], "state": s} for s in ("ok", "failed", "inconclusive", "not_applicable"))
        made = ("made", "altered", "real", "unknown")[number % 4]
        item = replace(
            full.items[0], findings=replace(found, findings=states), media_type="image/png", width=2, height=2
        )
        items = (replace(item, made=made), replace(item, id=2, made="real"))
        yield complete.assess(replace(full, items=items), FACTS)
        yield complete.assess(replace(full, items=items, language="fr"), FACTS)
    for image in ("blurred", "full"):
        yield assessed(include=Include(image=image))
    yield assessed("", "stopncii", include=Include(hashes=True))
    sender = request().sender
    for kind in ("written", "attorney", "parent"):
        yield assessed(role="agent", sender=replace(request(role="agent").sender, authority=kind))
    yield assessed(sender=replace(sender, identity="allow"))
    earlier = replace(request().earlier, due_at="2026-11-28", answer="")
    yield assessed("us_tida", "us_ftc", earlier=earlier)
    yield assessed(sightings=request().sightings * 1_001)
    yield assessed("", "cloudflare", sightings=request().sightings * 1_001)
    bare = assessed()
    long = replace(bare.channel.fields[0], value="reason", max=10, choose="this")
    yield replace(bare, channel=replace(bare.channel, fields=(long,)))
    yield replace(bare, doubts=())
    unit = Deadline(0, 3, 0, "", "", Confidence.VERIFIED)
    yield replace(bare, law=replace(bare.law, deadline=unit))  # type: ignore[type-var]
    for sure in Confidence:
        yield replace(bare, law=replace(bare.law, confidence=sure))  # type: ignore[type-var]


# Names of things that a request may ask for, whatever the facts ask for today; a sentence for a log without rows.
KEPT = frozenset({"custody.none"})


def test_each_sentence_is_in_some_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = used(monkeypatch)
    every = {f"{section}.{key}" for section, part in EN.texts.items() for key in part}
    assert len(every) > 200
    assert every - keys - KEPT == set()
    assert keys - every == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_who_keeps_the_images_is_told_that_they_are_there(language: str) -> None:
    words = catalogue.catalogue(language)
    for platform, keeps in (("x", True), ("host", True), ("google_search", False), ("cloudflare", False),
                            ("registrar", False), ("stopncii", False), ("kr_d4u", False)):  # fmt: skip
        said = text(assessed("", platform, language=language))
        assert (words.text("notice.opening_depicted") in said) == keeps, platform
        assert (words.text("notice.found_depicted") in said) != keeps, platform
        helps = platform in ("stopncii", "kr_d4u")
        assert (words.text("notice.ask_help") in said) == helps, platform
        assert not helps or words.text("notice.ask_remove") not in said


def test_who_makes_a_fingerprint_is_given_no_form_to_copy() -> None:
    assert EN.text("sheet.fields") not in plain(assessed("", "stopncii"))
    assert EN.text("sheet.fields") in plain(assessed("", "host"))


def test_whoever_can_be_asked_next_has_one_line() -> None:
    a = assessed()
    steps = tuple(Next("always", "us_ftc", says) for says in ("Tell it.", "Tell it.", "Or write."))
    said = plain(replace(a, law=replace(a.law, next=steps)))  # type: ignore[type-var]
    assert f"- {FACTS.platform('us_ftc').name}: Tell it. Or write.\n" in said
    assert said.count("Tell it.") == 1


def test_nobody_is_told_that_an_authority_is_not_covered_by_the_law_that_it_enforces() -> None:
    assert "not obviously covered" not in plain(assessed("us_tida", "us_ftc"))
    assert "not obviously covered" in plain(assessed("us_tida", "google_search"))
