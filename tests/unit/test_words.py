"""The words that people read: chances as counts, names without anything hidden, cutting, lengths of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop import words
from detectors.finding import State
from detectors.verdict import Band

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


def test_every_verdict_and_state_has_words() -> None:
    assert set(words.VERDICTS) == {*map(str, Band), words.NOT_CHECKED}
    assert list(words.VERDICTS) == [*map(str, Band), words.NOT_CHECKED]
    assert set(words.STATES) == set(map(str, State))


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (None, "not known"), (0.0, "under 2 in 100"), (0.04, "about 1 in 20"), (0.08, "about 1 in 10"),
        (0.5, "about 5 in 10"), (0.92, "about 9 in 10"), (0.93, "about 19 in 20"), (0.99, "over 98 in 100"),
        (1.0, "over 98 in 100"),
    ],
)  # fmt: skip
def test_chance_is_a_count(p: float | None, said: str) -> None:
    assert words.chance(p) == said


@pytest.mark.parametrize("band", Band)
def test_a_likelihood_is_shown_only_where_it_helps(band: Band) -> None:
    shown = "about 7 in 10" if band in (Band.LIKELY_SYNTHETIC, Band.INCONCLUSIVE) else ""
    assert words.likelihood(band, 0.7) == shown
    assert words.likelihood(words.NOT_CHECKED, None) == ""


@given(st.floats(0, 1))
def test_chance_is_never_a_percentage(p: float) -> None:
    assert "%" not in words.chance(p)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain.jpg", "plain.jpg"),
        ("两个字.jpg", "两个字.jpg"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("exe.\u202egpj", "exe.\\u202egpj"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\U000e0041tag", "\\U000e0041tag"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert words.visible(text) == shown


@given(ANY_TEXT)
def test_visible_text_can_be_written_and_stays_on_one_line(text: str) -> None:
    shown = words.visible(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set("\x1b\0\n\r\u202e\u2066\u2028")


@given(ANY_TEXT, st.integers(3, 60))
def test_fit_never_exceeds_its_room(text: str, columns: int) -> None:
    assert words.width(words.fit(words.visible(text), columns)) <= columns


def test_fit_keeps_the_end_that_tells_files_apart() -> None:
    cut = words.fit("a/very/long/folder/name/that/goes/on/IMG_0042.jpg", 24)
    assert cut.startswith("a/very")
    assert cut.endswith("IMG_0042.jpg")
    assert "…" in cut


def test_wide_characters_take_two_columns() -> None:
    assert words.width("ab") == 2
    assert words.width("两个") == 4
    assert words.width("e\u0301") == 1


def test_lengths_of_time_and_counts() -> None:
    assert words.duration(0.2) == "1 s"
    assert words.duration(300) == "5 min"
    assert words.duration(7500) == "2 h 5 min"
    assert words.count(1, "file", "files") == "1 file"
    assert words.count(20000, "file", "files") == "20,000 files"
