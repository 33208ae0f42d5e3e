"""The list as data: order, filter, counts, and that arriving results leave what is shown in place."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.window import summary, words
from desktop.window.packed import pack, unpack
from desktop.window.table import Column, Show, Status, Table, cell, spoken
from detectors.report import Report
from detectors.verdict import Band
from tests.gui.fakes import problem, report_for, scanned

QT_FREE = ("words", "table", "describe", "reveal", "runner", "summary", "packed")


@pytest.mark.parametrize("module", QT_FREE)
def test_view_models_import_no_qt(module: str) -> None:
    code = f"import sys, desktop.window.{module}; sys.exit(any(m.startswith('PySide6') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def fill(table: Table, results: list[tuple[int, Report]]) -> tuple[list[int], list[int]]:
    return table.fill([(row_id, pack(report)) for row_id, report in results])


def filled(number: int = 20) -> Table:
    table = Table()
    table.add([f"in/{i:03}.jpg" for i in range(number)])
    fill(table, [(i, report_for(f"in/{i:03}.jpg", i)) for i in range(number)])
    return table


def test_rows_wait_then_say_what_was_found() -> None:
    table = Table()
    table.add(["in/a.jpg", "in/b.jpg"])
    assert [r.status for r in table.rows] == [Status.WAITING] * 2
    assert cell(table.rows[0], Column.VERDICT) == ""
    changed, appearing = fill(table, [(1, scanned("in/b.jpg", Band.NO_SIGNS, "suggestive"))])
    assert (changed, appearing) == ([1], [])
    assert [cell(table.rows[1], c) for c in Column] == ["b.jpg", "Checked", "No signs found", "Suggestive", "JPEG"]
    assert spoken(table.rows[0]) == "a.jpg, Waiting"


def test_a_problem_has_neither_verdict_nor_intimacy() -> None:
    table = Table()
    table.add(["a", "b"])
    fill(table, [(0, problem("a")), (1, problem("b", refused=True))])
    assert [r.status for r in table.rows] == [Status.UNREADABLE, Status.REFUSED]
    assert [cell(table.rows[0], c) for c in Column] == ["a", "Not readable", "", "", ""]


def test_intimacy_that_did_not_run_is_not_none_found() -> None:
    assert words.intimacy(None) == "Not checked"
    assert words.intimacy("none_found") == "None found"


def test_counts_follow_results_and_replacements() -> None:
    table = filled(26)
    counts = table.counts()
    assert counts.total == counts.done == 26
    assert counts.problems == 2
    assert sum(counts.bands.values()) == 24
    fill(table, [(12, scanned("again", Band.LIKELY_SYNTHETIC))])
    after = table.counts()
    assert (after.done, after.problems) == (26, 1)
    assert after.bands[Band.LIKELY_SYNTHETIC] == counts.bands[Band.LIKELY_SYNTHETIC] + 1


def test_sorting_by_verdict_puts_the_strongest_and_surest_first_and_problems_last() -> None:
    table = Table()
    table.add(list("abcd"))
    fill(
        table,
        [
            (0, problem("a")),
            (1, scanned("b", Band.LIKELY_SYNTHETIC, p=0.80)),
            (2, scanned("c", Band.LIKELY_SYNTHETIC, p=0.95)),
            (3, scanned("d", Band.DECLARED_SYNTHETIC)),
        ],
    )
    table.sort(Column.VERDICT)
    assert table.order == [3, 2, 1, 0]
    table.sort(Column.VERDICT, descending=True)
    assert table.order == [0, 1, 2, 3]
    table.sort(None)
    assert table.order == [0, 1, 2, 3]


def test_results_do_not_reorder_what_is_shown() -> None:
    table = Table()
    table.add(list("abc"))
    table.sort(Column.VERDICT)
    fill(table, [(2, scanned("c", Band.DECLARED_SYNTHETIC))])
    assert table.order == [0, 1, 2]
    table.sort(Column.VERDICT)
    assert table.order == [2, 0, 1]


def test_filter_by_verdict_appends_rows_that_come_to_match() -> None:
    table = Table()
    table.add(list("abc"))
    table.filter(Band.LIKELY_SYNTHETIC, "")
    assert table.order == []
    changed, appearing = fill(table, [(1, scanned("b", Band.LIKELY_SYNTHETIC)), (2, scanned("c", Band.NO_SIGNS))])
    assert (changed, appearing) == ([], [1])
    table.append_shown(appearing)
    assert table.order == [1]
    assert table.place(1) == 0
    assert table.place(2) is None


def test_filter_by_text_looks_at_folder_and_name_without_case() -> None:
    table = Table()
    table.add(["Holiday/x.jpg", "work/HOLIDAY.png", "work/y.jpg"])
    table.filter(Show.ALL, " holiday ")
    assert table.order == [0, 1]
    table.filter(Show.PROBLEMS, "")
    assert table.order == []


def test_stopped_rows_wait_again_when_they_are_added_again() -> None:
    table = Table()
    table.add(["a", "b"])
    fill(table, [(0, scanned("a", Band.NO_SIGNS))])
    table.stop_waiting()
    assert [r.status for r in table.rows] == [Status.SCANNED, Status.STOPPED]
    table.wait_again([0, 1])
    assert [r.status for r in table.rows] == [Status.SCANNED, Status.WAITING]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 5)),
        st.tuples(st.just("fill"), st.integers(0, 40)),
        st.tuples(st.just("sort"), st.sampled_from([None, *Column])),
        st.tuples(st.just("filter"), st.sampled_from([*Show, *Band])),
        st.tuples(st.just("text"), st.sampled_from(["", "1", "in/", "nothing"])),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(_steps)
def test_what_is_shown_is_always_exactly_what_matches(steps: list[tuple[str, object]]) -> None:
    table, show, text = Table(), Show.ALL, ""
    for what, value in steps:
        if what == "add":
            assert isinstance(value, int)
            table.add([f"in/{len(table.rows) + i}.jpg" for i in range(value)])
        elif what == "fill" and table.rows:
            assert isinstance(value, int)
            row_id = value % len(table.rows)
            if table.rows[row_id].report is None:
                table.append_shown(fill(table, [(row_id, report_for(table.rows[row_id].path, value))])[1])
        elif what == "sort":
            table.sort(value)  # type: ignore[arg-type]
        elif what in ("filter", "text"):
            show, text = (value, text) if what == "filter" else (show, str(value))  # type: ignore[assignment]
            table.filter(show, text)
        bands = {i: r.band for i, r in enumerate(table.rows)}
        wanted = {
            i
            for i, r in enumerate(table.rows)
            if text in r.path
            and (
                show is Show.ALL
                or (show is Show.PROBLEMS and r.status in (Status.REFUSED, Status.UNREADABLE))
                or bands[i] == show
            )
        }
        assert sorted(table.order) == sorted(wanted)
        assert [table.place(i) for i in table.order] == list(range(len(table.order)))


@pytest.mark.parametrize(
    ("untrusted", "safe"),
    [
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("two\nlines\tx", "two\\nlines\\tx"),
        ("bell\x07", "bell\\x07"),
        ("zero\u200bwidth\u2028", "zero\\u200bwidth\\u2028"),
        ("naïve 写真 🙂.png", "naïve 写真 🙂.png"),
    ],
)
def test_names_are_safe_to_draw(untrusted: str, safe: str) -> None:
    table = Table()
    table.add([f"in/{untrusted}"])
    assert table.rows[0].name == safe


def test_status_line_sentences() -> None:
    table = filled(26)
    counts = table.counts()
    assert summary.progress(counts) == "26 of 26"
    assert summary.found(counts).endswith("Not opened or not read: 2")
    assert summary.state(counts, busy=False, paused=False, stopped=False) == "Done."
    assert "Resume" in summary.state(counts, busy=True, paused=True, stopped=False)
    empty = Table().counts()
    assert summary.state(empty, busy=True, paused=False, stopped=False).startswith("Looking")
    table.add(["more"])
    assert summary.state(table.counts(), busy=False, paused=False, stopped=True).startswith("Stopped.")


def test_every_band_has_a_label_and_a_calm_explanation() -> None:
    for band in Band:
        assert words.verdict(band)
        meaning = words.verdict_meaning(band)
        assert meaning.endswith(".")
        assert not set("!") & set(meaning)
    assert "not proof that the picture is real" in words.verdict_meaning(Band.NO_SIGNS)


@pytest.mark.parametrize("number", range(14))
def test_a_packed_report_comes_back_whole(number: int) -> None:
    report = report_for("caf\udce9.jpg", number)
    back = unpack(pack(report))
    assert back.to_json() == report.to_json()
    assert back.analysis == report.analysis
    assert back.verdict == report.verdict
    assert type(back.error) is type(report.error)


def test_packed_rows_are_nothing_for_the_garbage_collector() -> None:
    packed = pack(report_for("a.jpg", 0))
    assert not any(gc.is_tracked(getattr(packed, name)) for name in ("status", "p", "level", "format", "data"))
