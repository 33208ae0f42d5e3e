"""What the letters say, to whom and why; that they say nothing that was not said; and that nothing in them runs."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from desktop.packets import catalogue, complete, facts, letter_bodies, letters
from desktop.packets.elements import ELEMENTS
from desktop.packets.letters import Custody, CustodyRow, Document
from desktop.packets.request import LANGUAGES, Include, ItemFindings, Request, RequestSighting, Signature, Statements
from tests.unit import letter_pages
from tests.unit.packet_requests import AGENT, NAME, full_request

FACTS = facts.load()
EN = catalogue.catalogue("en")
ROLES = ("depicted", "agent", "guardian", "anyone")
STATEMENTS = {
    "nonconsent": "nonconsent_depicted",
    "good_faith": "good_faith",
    "accurate": "accurate",
    "intimate": "intimate",
    "perjury": "perjury",
    "unauthorised_use": "unauthorised_use",
    "ownership": "ownership",
}


def request(law: str = "us_tida", platform: str = "x", role: str = "depicted", **changes: Any) -> Request:
    return replace(full_request(FACTS, law, platform, role), **changes)


def assessed(law: str = "us_tida", platform: str = "x", role: str = "depicted", **changes: Any) -> complete.Assessment:
    return complete.assess(request(law, platform, role, **changes), FACTS)


def text(assessment: complete.Assessment) -> str:
    words = catalogue.catalogue(assessment.request.language)
    return letters.letter_text(letter_bodies.Letter(words, assessment, FACTS, draft=False))


def made(assessment: complete.Assessment, **options: Any) -> dict[str, Document]:
    return {d.kind: d for d in letters.documents(assessment, FACTS, **{"draft": False, **options})}


def custody() -> Custody:
    rows = (CustodyRow(3, "2026-11-27 18:31", "person 1", "item added", "item 1", "ab" * 32),)
    return Custody(rows, "9c56 cc51 b374 aa30")


def examined() -> ItemFindings:
    from detectors.inference.manifest import manifest

    model = manifest()["generated-clip"]
    ref = {"id": model.id, "sha256": model.sha256}
    shape: dict[str, Any] = {"regions": [], "ms": 1.0, "role": "learned"}
    findings = (
        {**shape, "detector": "generated", "state": "ok", "score": 0.97, "says": "With a prompt: a vile word.",
         "model": ref, "details": {"in_short": "It found the marks of an image generator."}},
        {**shape, "detector": "face_swap", "state": "failed", "score": None, "says": "It did not run.", "model": None,
         "details": {}},
    )  # fmt: skip
    return ItemFindings("likely_synthetic", 0.93, ("A reason in words.",), findings, "2026-11-27T18:30:00+03:00")


# --- Who and what for.


@pytest.mark.parametrize(
    ("law", "platform", "earlier", "kind"),
    [("us_tida", "x", "", "notice"), ("us_tida", "us_ftc", "x", "complaint"), ("", "us_ftc", "", "report"),
     ("", "police", "x", "report"), ("", "court", "", "report"), ("", "cloudflare", "", "notice")],
)  # fmt: skip
def test_the_recipient_decides_what_kind_of_letter_it_is(law: str, platform: str, earlier: str, kind: str) -> None:
    a = assessed(law, platform)
    a = replace(a, request=replace(a.request, earlier=replace(a.request.earlier, platform=earlier)))
    assert letter_bodies.letter_kind(a) == kind
    assert EN.text(f"{kind}.title") in text(a)


def test_nobody_says_that_she_asked_before_who_did_not() -> None:
    a = assessed("", "us_ftc", earlier=dataclasses.replace(request().earlier, platform=""))
    assert "I asked" not in text(a)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_says_who_it_is(role: str) -> None:
    said = text(assessed(role=role))
    own = {r for r in ROLES if EN.text(f"statement.role_{r}") in said}
    assert own == {role}
    assert ("without my consent" in said) == (role == "depicted")
    assert (AGENT in said) == (role != "depicted")
    assert NAME in said


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_there_exactly_when_it_was_made(name: str) -> None:
    law = "us_dmca" if name in ("perjury", "unauthorised_use", "ownership") else "us_tida"
    sentence = EN.text(f"statement.{STATEMENTS[name]}")
    full = request(law, role="owner" if law == "us_dmca" else "depicted")
    if name == "nonconsent" and full.sender.role != "depicted":
        sentence = EN.text("statement.nonconsent_other")
    assert sentence in text(complete.assess(full, FACTS))
    without = replace(full, statements=replace(full.statements, **{name: False}))
    assert sentence not in text(complete.assess(without, FACTS))
    alone = replace(full, statements=replace(Statements(), **{name: True}))
    said = text(complete.assess(alone, FACTS))
    others = (EN.text(f"statement.{key}") for other, key in STATEMENTS.items() if other != name)
    assert sentence in said
    assert not any(other in said for other in others)


def test_an_oath_is_sworn_only_to_who_asks_for_it() -> None:
    assert EN.text("statement.perjury") not in text(assessed("us_tida"))
    assert EN.text("statement.ownership") not in text(assessed("us_tida"))


def test_an_empty_draft_states_nothing() -> None:
    a = complete.assess(Request(law="us_tida", platform="x"), FACTS)
    said = text(a)
    stated = [key for key, sentence in EN.texts["statement"].items() if sentence in said]
    assert stated == []
    assert f"{EN.text('element.role')}: {EN.text('common.none_given')}" in said
    documents = letters.documents(a, FACTS, draft=True)
    assert [d.kind for d in documents] == ["notice"]


def everywhere() -> list[tuple[str, str]]:
    """Each law with somebody to whom a request on it can go, and each platform without a law."""
    laws = [
        (law.id, next(p.id for p in FACTS.platforms.values() if complete.can_be_sent(law, p)))
        for law in FACTS.laws.values()
    ]
    return [*laws, *(("", id) for id in FACTS.platforms)]


def not_in_the_letter(law: str, platform: str) -> list[str]:
    """What is asked for and makes no difference to the letter, or stands there without its place in the law."""
    found = []
    for role in FACTS.law(law).who if law else ("depicted", "agent"):
        a = assessed(law, platform, role)
        said = text(a)
        for element in {check.element for check in a.checks if check.needed_by}:
            less = complete.assess(complete.without(a.request, element), FACTS)
            if text(replace(less, law=a.law, channel=a.channel)) == said:
                found.append(f"{role}: {element}")
        found += [
            f"{role}: {e.cite}" for e in (a.law.elements if a.law else ()) if e.cite and f"[{e.cite}]" not in said
        ]
    return found


@pytest.mark.parametrize(("law", "platform"), everywhere())
def test_each_element_that_is_asked_for_is_in_the_letter(law: str, platform: str) -> None:
    assert not_in_the_letter(law, platform) == []


def test_an_element_that_was_forgotten_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_bodies, "_TEXTS", ("reason",))
    assert "depicted: relevant_information" in not_in_the_letter("us_tida", "x")
    monkeypatch.setattr(letter_bodies.Letter, "cite", lambda self, element: [])
    assert any("s. 3(a)(1)(A)" in found for found in not_in_the_letter("us_tida", "x"))


def test_a_text_that_nobody_asks_for_is_not_told() -> None:
    plain, needed = text(assessed()), text(assessed("kr_14_2", "kr_police"))
    own = request().texts
    assert own.vulnerability not in plain
    assert own.police_reference not in plain
    assert own.reason in plain
    assert own.circumstances in needed


def test_private_words_stay_out() -> None:
    full = request()
    item = replace(full.items[0], label="SECRET-LABEL", pdq="f" * 64, file="/home/secret.jpg")
    seen = replace(full.sightings[0], note="SECRET-NOTE")
    a = complete.assess(replace(full, items=(item,), sightings=(seen,)), FACTS)
    pdf = b"".join(d.pdf for d in letters.documents(a, FACTS, draft=False))
    said = text(a) + letter_pages.words(made(a)["notice"].pdf)
    for secret in ("SECRET", "f" * 40, "secret.jpg"):
        assert secret not in said
        assert secret.encode() not in pdf


def test_a_limit_that_nobody_has_verified_is_not_held_against_anybody() -> None:
    a = assessed()
    assert "48 hours" in text(a)
    law = replace(a.law, deadline=replace(a.law.deadline, confidence=facts.Confidence.UNVERIFIED))  # type: ignore[union-attr,type-var]
    channel = replace(a.channel, deadline_hours=None)
    assert "48 hours" not in text(replace(a, law=law, channel=channel))


def test_how_sure_the_legal_basis_is_stands_at_the_foot() -> None:
    a = assessed()
    assert "Text of section 3" in text(a)
    for sure in (facts.Confidence.SECONDARY, facts.Confidence.UNVERIFIED):
        said = text(replace(a, law=replace(a.law, confidence=sure)))  # type: ignore[type-var]
        assert EN.text(f"notice.foot_{sure}").partition("{date}")[2] in said


def test_a_signature_by_hand_leaves_a_line() -> None:
    said = text(assessed(signature=Signature(kind="by_hand")))
    assert "____" in said
    assert "Signed electronically" not in said


def test_what_goes_with_it_is_what_was_asked_for() -> None:
    full = request("", "police", "agent", include=Include(findings=True))
    full = replace(full, items=(replace(full.items[0], findings=examined()),))
    whole = made(complete.assess(full, FACTS), custody=custody())
    assert [*whole] == ["report", "brief", "analysis", "custody", "authority"]
    named = letter_pages.words(whole["report"].pdf)
    for kind in ("brief", "analysis", "custody", "authority", "request", "verify"):
        assert EN.text(f"attachment.{kind}") in named
    bare = replace(full, include=Include(findings=False, brief=False, custody=False, authority_letter=False))
    assert [*made(complete.assess(bare, FACTS), custody=custody())] == ["report"]
    assert [*made(assessed())] == ["notice"]


@pytest.mark.parametrize("image", ["none", "blurred", "full"])
def test_an_image_is_named_and_never_shown(image: str) -> None:
    a = assessed(include=Include(image=image))
    picture = b"\xff\xd8\xff\xe0 a picture"
    pdf = made(a, images={} if image == "none" else {1: picture})["notice"].pdf
    said = " ".join(letter_pages.words(pdf).split())
    assert (EN.text("common.image_enclosed") in said) == (image == "full")
    assert (EN.text("common.blurred_enclosed") in said) == (image == "blurred")
    assert letter_pages.problems(pdf, EN.text("notice.title"), "en") == []


def test_proof_is_not_needed_and_findings_come_only_on_choice() -> None:
    full = request()
    full = replace(full, items=(replace(full.items[0], findings=examined()),))
    said = text(complete.assess(full, FACTS))
    assert EN.text("notice.no_proof") in said
    assert "generator" not in said
    chosen = complete.assess(replace(full, include=Include(findings=True)), FACTS)
    assert EN.text("notice.no_proof") not in text(chosen)


def test_the_analysis_gives_measured_rates_models_and_limits() -> None:
    from detectors.inference.manifest import manifest

    full = request(include=Include(findings=True))
    full = replace(full, items=(replace(full.items[0], findings=examined()),))
    said = letter_pages.words(made(complete.assess(full, FACTS))["analysis"].pdf)
    flat = letter_pages.closed_up(said)
    bands = manifest()["generated-clip"].bands
    assert bands is not None
    for expected in (
        manifest()["generated-clip"].sha256,
        f"{bands.false_positive_rate * 100:.1f}%({bands.n_real:,})",
        f"{bands.recall * 100:.1f}%({bands.n_synthetic:,})",
        EN.text("analysis.limit_real"),
        EN.text("analysis.likely_synthetic"),
        EN.text("brief.proof"),
        "Itfoundthemarksofanimagegenerator.",
        "2026-11-2715:30UTC",
    ):
        assert letter_pages.closed_up(expected) in flat
    assert "vile word" not in said


def test_the_custody_log_names_people_by_number() -> None:
    a = assessed(language="fr")
    said = letter_pages.words(made(a, custody=custody())["custody"].pdf)
    person = catalogue.catalogue("fr").text("custody.person").replace("{number}", "1")
    assert letter_pages.closed_up(person) in letter_pages.closed_up(said)
    assert "9c56 cc51 b374 aa30" in said
    assert "ab" * 32 in letter_pages.closed_up(said)


# --- Many, long, hostile.


def test_more_addresses_than_a_letter_prints_are_said_to_be_elsewhere() -> None:
    full = request()
    count = letter_bodies.MOST_PRINTED + 1
    many = tuple(replace(full.sightings[0], url=f"https://x.com/example/status/{n}") for n in range(count))
    a = complete.assess(replace(full, sightings=many), FACTS)
    said = text(a)
    assert f"{count} addresses" in said
    assert f"/status/{count - 2}\n" in said.replace(";", "\n")
    assert f"/status/{count - 1}" not in said
    sheet, plain = letters.sheet(a, FACTS)
    assert f"/status/{count - 1}\n" in plain, "the text to copy has them all"
    assert letter_pages.problems(sheet.pdf, EN.text("sheet.title"), "en") == []


def test_250_addresses_are_all_printed_and_copied_out_whole() -> None:
    full = request("", "cloudflare")
    urls = [f"https://pictures.example/a-long-album-name-{n}/{'x' * 60}/view?id={n:04d}&from=share" for n in range(250)]
    many = tuple(replace(full.sightings[0], url=url) for url in urls)
    pdf = made(complete.assess(replace(full, sightings=many), FACTS))["notice"].pdf
    flat = letter_pages.words(pdf).replace("\n", "").replace("\f", "")
    assert [url for url in urls if url not in flat] == []
    assert letter_pages.beyond_the_edge(pdf) == []


HOSTILE = (
    '#read("/etc/passwd") #panic() $x$ `raw` *bold* @ref <label> \\u{41} #import "@preview/x:1.0.0"',
    "<script>alert(1)</script> <b>&amp;</b>",
    "a\u202egnp.exe \u2066\u2069 \u200b",
    "=cmd|' /C calc'!A0",
    "../../../etc/passwd",
    "{depicted} {law} {0}",
    "x" * 1_999,
    "ู" * 200,
    "https://" + "a" * 1_000,
    "ش" * 500,
)


@pytest.mark.parametrize("value", HOSTILE)
def test_what_somebody_wrote_is_text_and_nothing_else(value: str) -> None:
    full = request(role="agent", language="en")
    bad = replace(
        full,
        depicted=replace(full.depicted, name=value, office=value, legal_name=value),
        sender=replace(full.sender, name=value, email=value, address=value, authority_note=value),
        signature=replace(full.signature, text=value),
        texts=replace(full.texts, reason=value, remedial_action=value),
        recipient=replace(full.recipient, name=value, address=value, email=value),
        items=(replace(full.items[0], identification=value),),
        sightings=(RequestSighting(item=1, url=value, handle=value, platform=value),),
        earlier=replace(full.earlier, reference=value),
    )
    a = complete.assess(bad, FACTS)
    for document in letters.documents(
        a, FACTS, draft=False, custody=Custody((CustodyRow(1, value, value, value, value, value),), value)
    ):
        title = EN.text(f"{document.kind}.title")
        assert letter_pages.problems(document.pdf, title, "en") == []
        if not value.startswith("ู"):  # no mark stands alone: it is 8 characters long as [U+0E39]
            assert letter_pages.beyond_the_edge(document.pdf) == []
    sheet, plain = letters.sheet(a, FACTS)
    assert letter_pages.problems(sheet.pdf, EN.text("sheet.title"), "en") == []
    said = letter_pages.words(made(a)["notice"].pdf)
    assert "root:" not in said + plain
    assert "\u202e" not in plain
    if value.isascii():
        assert letter_pages.closed_up(value) in letter_pages.closed_up(said)
        assert value in plain


def test_a_template_reads_nothing_outside_its_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("base.typ", "letter.typ"):
        (tmp_path / name).write_bytes((catalogue.LETTERS / name).read_bytes())
    secret = tmp_path.parent / f"{tmp_path.name}-secret.txt"
    secret.write_text("a secret", encoding="utf-8")
    monkeypatch.setattr(letters, "LETTERS", tmp_path)
    a = assessed()
    assert letters.documents(a, FACTS, draft=False)
    for path in (str(secret), f"../{secret.name}"):
        with (tmp_path / "letter.typ").open("a", encoding="utf-8") as f:
            f.write(f'\n#read("{path}")\n')
        with pytest.raises(letters.SetupError):
            letters.documents(a, FACTS, draft=False)


# --- The same bytes.

AGAIN = """
import hashlib
from tests.unit.test_letters import assessed, custody, made
for language in ("en", "ar"):
    for kind, document in made(assessed("us_tida", "x", "agent", language=language), custody=custody()).items():
        print(kind, hashlib.sha256(document.pdf).hexdigest())
"""


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_the_same_request_gives_the_same_bytes_elsewhere(zone: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(AGAIN, {})  # noqa: S102 - our own lines above, run here and in another process
    here = capsys.readouterr().out
    environment = {**os.environ, "TZ": zone, "LANG": "C", "PYTHONHASHSEED": "7"}
    root = catalogue.LETTERS.parents[1]
    there = subprocess.run(
        [sys.executable, "-c", AGAIN], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert len(here.split()) == 12
    assert here == there.stdout


def test_another_time_gives_other_bytes() -> None:
    full = request()
    later = replace(full, created_at=full.created_at.replace(year=2027))  # type: ignore[union-attr]
    one, other = (made(complete.assess(r, FACTS))["notice"].pdf for r in (full, later))
    assert one != other


# --- The sheet, for the sender alone.


def test_the_sheet_has_the_fields_in_the_order_of_the_form() -> None:
    a = assessed()
    sheet, plain = letters.sheet(a, FACTS)
    assert a.channel.fields
    places = [plain.index(f"\n{field.label}\n") for field in a.channel.fields]
    assert places == sorted(places)
    said = letter_pages.words(sheet.pdf)
    for expected in (a.request.sightings[0].url, a.channel.address, EN.text("sheet.private"), "desk@chambers.example"):
        assert expected in plain
        assert letter_pages.closed_up(expected) in letter_pages.closed_up(said)
    for doubt in a.doubts:
        assert doubt in plain


def test_the_sheet_says_what_is_missing_and_what_it_costs() -> None:
    a = complete.assess(complete.without(request(), "signature"), FACTS)
    _, plain = letters.sheet(a, FACTS)
    assert a.missing
    assert a.missing[0].says in plain
    assert EN.text("sheet.missing") in plain
    assert EN.text("sheet.missing") not in letters.sheet(assessed(), FACTS)[1]
    risk = complete.Risk("published", "It is published.", facts.Confidence.UNVERIFIED, "law us_tida")
    _, marked = letters.sheet(replace(a, risks=(risk,)), FACTS)
    assert "It is published. Nobody has verified this: check before sending." in marked


def test_a_text_that_is_too_long_for_its_field_is_not_cut() -> None:
    a = assessed()
    field = replace(a.channel.fields[0], value="reason", max=10)
    _, plain = letters.sheet(replace(a, channel=replace(a.channel, fields=(field,))), FACTS)
    assert "takes 10 characters" in plain
    assert a.request.texts.reason in plain


def test_a_statement_that_was_not_made_is_not_there_to_copy() -> None:
    a = assessed(statements=Statements())
    _, plain = letters.sheet(a, FACTS)
    assert EN.text("statement.nonconsent_depicted") not in plain


CHANNELS = [(p.id, c.id) for p in FACTS.platforms.values() for c in p.channels if c.purpose != "child_safety"]


def test_every_channel_has_a_sheet_with_its_address_or_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(CHANNELS) > 50
    monkeypatch.setattr(letters, "_compile", lambda *_: b"")
    for platform, channel in CHANNELS:
        a = assessed("", platform, channel=channel)
        _, plain = letters.sheet(a, FACTS)
        assert not a.channel.address or a.channel.address in plain
        assert all(" ".join(step.split()) in plain for step in a.channel.steps)


# One channel for each shape that a sheet has.
SHAPES = {
    (c.kind, c.batch, bool(c.fields), bool(c.steps), bool(c.address)): (platform, channel)
    for platform, channel in CHANNELS
    if (c := FACTS.platform(platform).channel(channel))
}


@pytest.mark.parametrize(("platform", "channel"), SHAPES.values())
def test_each_shape_of_sheet_is_a_whole_page(platform: str, channel: str) -> None:
    assert len(SHAPES) > 8
    sheet, _ = letters.sheet(assessed("", platform, channel=channel), FACTS)
    assert letter_pages.problems(sheet.pdf, EN.text("sheet.title"), "en") == []


# --- Every language.


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_it_in_the_reading_order(language: str) -> None:
    words = catalogue.catalogue(language)
    pdf = made(assessed(language=language))["notice"].pdf
    said = letter_pages.words(pdf)
    for key in ("notice.title", "statement.role_depicted", "statement.nonconsent_depicted", "notice.ask_copies"):
        sentence = words.text(key)
        if language == "ar":
            assert letter_pages.bare_words(sentence) <= letter_pages.bare_words(said), key
        else:
            assert letter_pages.closed_up(sentence) in letter_pages.closed_up(said), key
    assert NAME in said


def test_further_languages_come_as_further_letters() -> None:
    documents = letters.documents(assessed(language="fr", also=("en", "fr", "ar")), FACTS, draft=False)
    assert [d.name for d in documents] == ["notice.fr.pdf", "notice.en.pdf", "notice.ar.pdf"]


def test_a_language_without_sentences_is_said() -> None:
    with pytest.raises(letters.SetupError):
        catalogue.catalogue("xx")


def test_typst_is_loaded_when_a_letter_is_set_and_not_before() -> None:
    lines = "import sys, desktop.packets.letters, desktop.packets.letter_sheet; print('typst' in sys.modules)"
    root = catalogue.LETTERS.parents[1]
    done = subprocess.run([sys.executable, "-c", lines], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("law", "platform", "role"),
    [("us_tida", "x", "agent"), ("us_dmca", "google_search", "owner"), ("", "police", "anyone")],
)
def test_a_draft_can_lack_anything(law: str, platform: str, role: str) -> None:
    full = request(law, platform, role)
    assert len(ELEMENTS) > 30
    set_already = set()
    asked = {id: {c.element for c in assessed(*id).checks} for id in (("us_tida", "x", "agent"), (law, platform, role))}
    own = asked.pop((law, platform, role))
    for element in own.difference(*asked.values()) if asked else ELEMENTS:
        a = complete.assess(complete.without(full, element), FACTS)
        # What says the same is set once.
        if (said := text(a)) not in set_already:
            set_already.add(said)
            a = replace(a, request=replace(a.request, include=Include(brief=False, authority_letter=False)))
            assert letters.documents(a, FACTS, draft=True), element
    assert len(set_already) > 3
    bare = replace(
        full,
        items=(),
        sightings=(RequestSighting(posted_at="2026-11-27", time_zone="Asia/Kathmandu"),),
        created_at=None,
    )
    assert letters.documents(complete.assess(bare, FACTS), FACTS, draft=True)
    assert letters.sheet(complete.assess(bare, FACTS), FACTS)
