"""The detail in words: all four states, escaped text, long text and fingerprints only on request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desktop.window import describe, words
from desktop.window.describe import Wanted
from desktop.window.packed import pack
from desktop.window.table import Row, Status
from detectors.finding import CHECKS, Profile, Role
from detectors.report import Report
from detectors.verdict import Band
from tests.gui.fakes import problem, scanned, several


def row(report: Report) -> Row:
    made = Row(report.path, report.path)
    made.fill(pack(report))
    return made


def test_verdict_reasons_and_all_four_states_are_in_words() -> None:
    text = describe.as_text(row(scanned("a.jpg", Band.LIKELY_SYNTHETIC, p=0.93)), Wanted())
    assert text.startswith("a.jpg\n\nLikely synthetic\n")
    for said in ("about 19 in 20.", "Why", "1.0 %", "Checked. ", "Can't tell. ", "Does not apply. ", "Did not run. "):
        assert said in text
    assert "1. Face: 100, 80 from the top left corner; 200 × 200 pixels" in text
    assert "Camera: Example 5" in text


@pytest.mark.parametrize("band", Band)
def test_a_likelihood_is_shown_only_where_it_helps(band: Band) -> None:
    text = describe.as_text(row(scanned("a.jpg", band, p=0.48)), Wanted())
    shown = band in (Band.LIKELY_SYNTHETIC, Band.INCONCLUSIVE)
    assert ("about 5 in 10" in text, "48" in text) == (shown, False)
    words.use_translator(lambda _context, text: f"⟦{text}⟧")
    try:
        assert ("⟦about 5 in 10⟧" in describe.as_text(row(scanned("a.jpg", band, p=0.48)), Wanted())) == shown
        assert "⟦⟧" not in describe.as_text(row(scanned("a.jpg", band, p=0.48)), Wanted())
    finally:
        words.use_translator(None)


def test_every_finding_is_listed() -> None:
    report = scanned("a.jpg", Band.NO_SIGNS)
    assert report.analysis is not None
    section = next(s for s in describe.sections(row(report), Wanted()) if s.title == "What each detector found")
    assert len(section.pairs) == len(report.analysis.findings)


def sections(report: Report) -> dict[str, describe.Section]:
    return {s.title: s for s in describe.sections(row(report), Wanted())}


def test_models_that_the_user_added_stand_apart() -> None:
    found = sections(several("a.jpg"))
    others = found["Other models that you added"]
    assert others.pairs == (("nadia (added by you)", "Checked. It gives 0.40."),)
    assert others.paragraphs == ("They take no part in the verdict.",)
    assert not any("nadia" in name for name, _ in found["What each detector found"].pairs)
    assert len(found["What each detector found"].pairs) == 9
    assert "Other models that you added" not in sections(scanned("a.jpg", Band.NO_SIGNS))
    report = several("a.jpg")
    assert report.analysis is not None
    counted = tuple(
        replace(f, role=Role.LEARNED) if f.detector.startswith("third_party:") else f for f in report.analysis.findings
    )
    report = replace(report, analysis=replace(report.analysis, findings=counted))
    assert "chose to count" in sections(report)["Other models that you added"].paragraphs[0]


@pytest.mark.parametrize("profile", CHECKS)
def test_the_check_that_decided_is_named(profile: Profile) -> None:
    text = describe.as_text(row(several("a.jpg", profile)), Wanted())
    assert ("This rests on the quick check." in text) is (profile is Profile.FAST)
    assert ("This rests on the thorough check." in text) is (profile is Profile.THOROUGH)


def test_a_map_is_no_text() -> None:
    report = several("a.jpg")
    assert not describe.has_free_text(row(report))
    assert "/wA=" not in describe.as_text(row(report), Wanted(hashes=True, free_text=True))
    assert [o.values for o in describe.overlays(report).values()] == [b"\xff\0"]


def test_learned_areas_come_first_and_a_place_is_marked_once() -> None:
    found = sections(several("a.jpg"))["Marked areas"].pairs
    assert [name for name, _ in found] == ["1. Face that looks swapped", "2. Edited area", "3. Female breast covered"]
    assert "Learned detector: faces" in found[0][1]
    assert "Learned" not in found[2][1]
    assert len(describe.numbered_regions(several("a.jpg"))) == 3


def test_text_from_the_file_is_escaped() -> None:
    report = scanned("a.jpg", Band.NO_SIGNS, note='<img src="file:///etc/passwd"> & <script>')
    html = describe.as_html(row(report), Wanted())
    assert "<img" not in html
    assert "<b>not" not in html
    assert "&lt;b&gt;not bold" in html


def test_long_text_and_prompts_are_shown_only_on_request() -> None:
    quiet = row(scanned("a.jpg", Band.NO_SIGNS, prompt="a cat", model="tiny"))
    assert describe.has_free_text(quiet)
    assert "a cat" not in describe.as_text(quiet, Wanted())
    assert "tiny" in describe.as_text(quiet, Wanted())
    assert "a cat" in describe.as_text(quiet, Wanted(free_text=True))
    assert not describe.has_free_text(row(scanned("a.jpg", Band.NO_SIGNS)))


def test_very_long_text_is_cut() -> None:
    text = describe.as_text(row(scanned("a.jpg", Band.NO_SIGNS, prompt="x" * 100_000)), Wanted(free_text=True))
    assert len(text) < 10_000


def test_fingerprints_only_on_request() -> None:
    one = row(scanned("a.jpg", Band.NO_SIGNS))
    assert "PDQ" not in describe.as_text(one, Wanted())
    asked = describe.as_text(one, Wanted(hashes=True))
    assert "ef" * 32 in asked
    assert "(quality 97 of 100)" in asked


def test_a_problem_gives_message_and_remedy_alone() -> None:
    text = describe.as_text(row(problem("a.jpg")), Wanted(hashes=True))
    assert text == "a.jpg\n\nNot readable\nThe file ends too early.\nDownload it again, or ask for another copy.\n"


def test_rows_without_a_result_say_why() -> None:
    assert "waiting" in describe.as_text(Row("a", "a"), Wanted())
    assert "Add it again" in describe.as_text(Row("a", "a", status=Status.STOPPED), Wanted())
