"""The real window, driven offscreen with a fake engine: adding, listing, filtering, stopping, leaving."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from desktop.safety import age_gate
from desktop.window import words
from desktop.window.dialogs import AgeQuestion, WhereToTurn
from desktop.window.main_window import MainWindow
from desktop.window.table import Column, Status
from detectors.errors import SetupError
from detectors.finding import Profile
from detectors.verdict import Band
from tests.gui.conftest import MakeWindow
from tests.gui.fakes import FakeEngine


def wait_done(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.session.busy, timeout=100_000)


def texts(widget: object) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel))  # type: ignore[attr-defined]


def names(window: MainWindow) -> list[str]:
    return [window.model.index(i, 0).data() for i in range(window.model.rowCount())]


def test_empty_window_says_what_to_do(window: MainWindow) -> None:
    assert window.windowTitle() == "Counterproof"
    said = texts(window.empty)
    assert "Nothing leaves this computer" in said
    assert "blurred" in said
    assert "you need no picture" in said
    assert said.count(". ") + said.endswith(".") == 3
    assert window.empty.files.isVisible()


def test_nothing_is_opened_before_the_question_is_answered(
    make_window: MakeWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = make_window(adults=False)
    window.add(["a.jpg"])
    window.add(["b.jpg"])
    assert len(window.findChildren(AgeQuestion)) == 1
    QTest.qWait(100)
    assert window.model.rowCount() == 0
    window.findChild(AgeQuestion).findChildren(QPushButton)[0].click()
    qtbot.waitUntil(lambda: window.model.table.counts().done == 2)
    wait_done(qtbot, window)
    window.add(["c.jpg"])
    assert not [q for q in window.findChildren(AgeQuestion) if q.isVisible()]
    wait_done(qtbot, window)
    assert engine.scanned_paths == ["a.jpg", "b.jpg", "c.jpg"]


def test_maybe_under_18_opens_nothing_and_says_where_to_turn(
    make_window: MakeWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = make_window(adults=False)
    window.add(["a.jpg"])
    window.findChild(AgeQuestion).findChildren(QPushButton)[1].click()
    help_dialog = window.findChild(WhereToTurn)
    help_dialog.country.setCurrentIndex(help_dialog.country.findData("GB"))
    said = texts(help_dialog) + help_dialog.helplines.toPlainText()
    for word in ("takeitdown.ncmec.org", "Report Remove", "inhope.org", "will not open", "fingerprints", "keep"):
        assert word in said
    help_dialog.close()
    QTest.qWait(150)
    assert window.model.rowCount() == 0
    assert engine.scanned_paths == []
    assert engine.asked == []
    # It is asked again next time: this answer was about those pictures.
    window.add(["b.jpg"])
    assert [q for q in window.findChildren(AgeQuestion) if q.isVisible()]
    assert engine.scanned_paths == []


@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Return])
def test_closing_the_question_opens_nothing(make_window: MakeWindow, engine: FakeEngine, key: Qt.Key) -> None:
    window = make_window(adults=False)
    window.add(["a.jpg"])
    QTest.keyClick(window.findChild(AgeQuestion), key)
    QTest.qWait(100)
    assert window.model.rowCount() == 0
    assert window.adults is None


def test_after_closing_the_question_it_is_asked_again_for_the_new_files_alone(
    make_window: MakeWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = make_window(adults=False)
    window.add(["a.jpg"])
    window.findChild(AgeQuestion).reject()
    window.add(["b.jpg"])
    (question,) = [q for q in window.findChildren(AgeQuestion) if q.isVisible()]
    question.findChildren(QPushButton)[0].click()
    qtbot.waitUntil(lambda: window.model.table.counts().done == 1)
    wait_done(qtbot, window)
    assert engine.scanned_paths == ["b.jpg"]


def test_after_clearing_the_list_it_is_asked_again(make_window: MakeWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window = make_window()
    window.add(["a.jpg"])
    qtbot.waitUntil(lambda: window.model.table.counts().done == 1)
    wait_done(qtbot, window)
    window.clear_list.trigger()
    window.add(["b.jpg"])
    (question,) = [q for q in window.findChildren(AgeQuestion) if q.isVisible()]
    QTest.qWait(100)
    assert engine.scanned_paths == ["a.jpg"]
    question.findChildren(QPushButton)[0].click()
    qtbot.waitUntil(lambda: window.model.table.counts().done == 1)
    wait_done(qtbot, window)
    assert engine.scanned_paths == ["a.jpg", "b.jpg"]


def test_results_fill_the_list(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window.add(["in/*300"])
    wait_done(qtbot, window)
    assert window.model.rowCount() == 300
    row = [window.model.index(2, c).data() for c in Column]
    assert row == ["picture 00002.jpg", "Checked", "Likely synthetic", "Explicit", "JPEG"]
    assert window.model.index(12, Column.STATE).data() == "Not opened"
    assert window.bottom.bar.value() == window.bottom.bar.maximum() == 300
    assert "300 of 300" in window.bottom.bar.text()
    assert window.bottom.state.text() == "Done."
    assert engine.threads
    assert not any("MainThread" in name for name in engine.threads)


def test_rows_are_listed_before_their_results(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.gate.clear()
    window.add(["in/*2000"])
    qtbot.waitUntil(lambda: window.model.rowCount() == 2000)
    assert window.model.index(0, Column.STATE).data() == "Waiting"
    assert window.bottom.state.text() == "Checking…"
    assert window.bottom.pause.isEnabled()
    engine.gate.set()
    wait_done(qtbot, window)
    assert window.model.table.counts().done == 2000


def test_arriving_results_move_neither_selection_nor_scroll(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.gate.clear()
    window.add(["in/*1500"])
    qtbot.waitUntil(lambda: window.model.rowCount() == 1500)
    window.view.setCurrentIndex(window.model.index(700, 0))
    window.view.verticalScrollBar().setValue(690)
    engine.gate.set()
    window.add(["more/*500"])
    wait_done(qtbot, window)
    assert window.model.rowCount() == 2000
    assert window.view.currentIndex().row() == 700
    assert window.view.verticalScrollBar().value() == 690
    assert window.detail.row is window.model.table.rows[700]
    assert "What each detector found" in window.detail.words.toPlainText()


def test_sorting_keeps_the_chosen_row_in_place_when_the_scan_ends(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    engine.gate.clear()
    window.add(["in/*400"])
    qtbot.waitUntil(lambda: window.model.rowCount() == 400)
    window.view.sort_by(Column.VERDICT)
    window.view.setCurrentIndex(window.model.index(203, 0))
    window.view.verticalScrollBar().setValue(200)
    chosen = window.detail.row
    engine.gate.set()
    wait_done(qtbot, window)
    assert window.detail.row is chosen
    current = window.view.currentIndex()
    assert window.model.row(current) is chosen
    assert current.row() - window.view.verticalScrollBar().value() == 3
    bands = [window.model.table.rows[i].band for i in window.model.table.order]
    assert bands == sorted(bands, key=lambda b: list(Band).index(b) if b else 99)


def test_filter_by_verdict_and_text_keeps_the_choice(window: MainWindow, qtbot: QtBot) -> None:
    window.add(["in/*100"])
    wait_done(qtbot, window)
    window.view.setCurrentIndex(window.model.index(2, 0))
    window.top.show_only.setCurrentIndex(window.top.show_only.findText("Likely synthetic"))
    assert {row.band for i in window.model.table.order if (row := window.model.table.rows[i])} == {
        Band.LIKELY_SYNTHETIC
    }
    assert window.view.currentIndex().data() == "picture 00002.jpg"
    QTest.keyClicks(window.top.text, "0004")
    qtbot.waitUntil(lambda: window.model.rowCount() < 10)
    assert all("0004" in name for name in names(window))
    assert window.detail.row is None
    window.top.show_only.setCurrentIndex(window.top.show_only.count() - 1)
    window.top.text.clear()
    qtbot.waitUntil(lambda: window.model.rowCount() == 7)
    assert {window.model.index(i, Column.STATE).data() for i in range(7)} == {"Not opened", "Not readable"}


def test_pause_resume_and_stop(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.gate.clear()
    window.add(["in/*50"])
    qtbot.waitUntil(lambda: window.model.rowCount() == 50)
    window.bottom.pause.click()
    engine.gate.set()
    QTest.qWait(200)
    assert window.model.table.counts().done == 0
    assert "Resume" in window.bottom.pause.text()
    engine.gate.clear()
    window.bottom.pause.click()
    QTest.qWait(50)
    window.bottom.cancel.click()
    wait_done(qtbot, window)
    assert {row.status for row in window.model.table.rows} == {Status.STOPPED}
    assert window.bottom.state.text().startswith("Stopped.")
    assert not window.bottom.cancel.isEnabled()
    engine.gate.set()
    window.add(["in/*50"])
    wait_done(qtbot, window)
    assert window.model.rowCount() == 50
    assert window.model.table.counts().done == 50


def test_a_dropped_name_that_is_not_utf8_reaches_the_engine(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    raw = b"/tmp/caf\xe9 #1 %41.jpg"
    mime = QMimeData()
    mime.setUrls([QUrl.fromEncoded(b"file:///tmp/caf%E9%20%231%20%2541.jpg"), QUrl("https://example.org/a.jpg")])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)
    wait_done(qtbot, window)
    assert [os.fsencode(p) for p in engine.scanned_paths] == [raw]
    assert os.fsencode(window.model.table.rows[0].path) == raw
    assert names(window) == ["caf\\xe9 #1 %41.jpg"]
    window.detail.copy.click()
    assert "caf\\xe9" in QGuiApplication.clipboard().text()


def test_a_problem_is_shown_with_its_remedy_and_no_picture(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window.add(["in/*20"])
    wait_done(qtbot, window)
    window.view.setCurrentIndex(window.model.index(12, 0))
    QTest.qWait(30)
    said = window.detail.words.toPlainText()
    assert "The file ends too early." in said
    assert "Download it again" in said
    assert not any("00012" in path for path, _ in engine.asked)
    assert not window.detail.hashes.isEnabled()


def test_fingerprints_only_on_request_and_covered_again(window: MainWindow, qtbot: QtBot) -> None:
    window.add(["in/*5"])
    wait_done(qtbot, window)
    assert "SHA-256" not in window.detail.words.toPlainText().replace("model", "")
    window.detail.hashes.click()
    assert "PDQ" in window.detail.words.toPlainText()
    window.view.setCurrentIndex(window.model.index(3, 0))
    assert "PDQ" not in window.detail.words.toPlainText()


def test_text_from_a_file_is_never_markup(window: MainWindow, qtbot: QtBot) -> None:
    window.add(["in/*2"])
    wait_done(qtbot, window)
    assert "<b>not bold</b>" in window.detail.words.toPlainText()
    assert window.detail.words.loadResource(2, QUrl("file:///etc/hostname")) is None


def test_a_broken_installation_is_said_with_its_remedy(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.scan_error = SetupError("model_missing", "A model is missing.", "Install Counterproof again.")
    window.add(["a.jpg"])
    qtbot.waitUntil(lambda: window.findChild(QMessageBox) is not None)
    box = window.findChild(QMessageBox)
    assert box.text() == "A model is missing."
    assert box.informativeText() == "Install Counterproof again."
    box.close()
    assert window.model.table.rows[0].status is Status.STOPPED


@pytest.mark.expects_log
def test_a_fault_in_a_thread_is_said_and_logged(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    engine.scan_error = ValueError("planted")
    window.add(["a.jpg"])
    qtbot.waitUntil(lambda: window.findChild(QMessageBox) is not None)
    assert "Your files are not changed" in window.findChild(QMessageBox).text()
    window.findChild(QMessageBox).close()
    assert "ValueError" in caplog.text
    assert "fakes.py" in caplog.text, "where it happened"
    assert "planted" not in caplog.text, "an error's text may name a file"


def test_clearing_empties_everything(window: MainWindow, qtbot: QtBot) -> None:
    window.add(["in/*5"])
    wait_done(qtbot, window)
    window.clear()
    assert window.model.rowCount() == 0
    assert window.detail.row is None
    assert window.pages.currentIndex() == 0
    window.adults = age_gate.admit(age_gate.Answer.ADULTS)  # asked again, which has its own test
    window.add(["in/*5"])
    wait_done(qtbot, window)
    assert window.model.rowCount() == 5


def test_all_text_can_be_translated(make_window: MakeWindow, qtbot: QtBot) -> None:
    words.use_translator(lambda _context, text: f"⟦{text}⟧")
    try:
        window = make_window()
        window.add(["in/*3"])
        wait_done(qtbot, window)
        shown = [a.text() for a in window.findChildren(QAction) if a.text()]
        shown += [w.text() for w in window.findChildren(QPushButton) if w.text()]
        shown += [w.text() for w in window.findChildren(QLabel) if w.text()]
        shown += [window.model.headerData(c, Qt.Orientation.Horizontal) for c in Column]
        shown += [window.model.index(0, c).data() for c in (Column.STATE, Column.VERDICT, Column.INTIMACY)]
        assert len(shown) > 30
        assert [t for t in shown if "⟦" not in t] == []
    finally:
        words.use_translator(None)


def test_nothing_is_written(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.add(["in/*5"])
    wait_done(qtbot, window)
    window.detail.copy.click()
    home = Path(os.environ["HOME"])
    assert [p for p in home.rglob("*") if p.is_file()] == []


def test_leaving_hides_everything_and_clears_only_our_own_clipboard(window: MainWindow, qtbot: QtBot) -> None:
    window.add(["in/*5"])
    wait_done(qtbot, window)
    window.detail.copy.click()
    assert QGuiApplication.clipboard().text()
    window.open_folder.trigger()
    assert sum(w.isVisible() for w in QApplication.topLevelWidgets()) == 2
    window.leave()
    assert not any(w.isVisible() for w in QApplication.topLevelWidgets())
    assert QGuiApplication.clipboard().text() == ""
    QGuiApplication.clipboard().setText("mine")
    window.leave()
    assert QGuiApplication.clipboard().text() == "mine"


def test_escape_twice_leaves_at_once_even_while_scanning(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.gate.clear()
    window.add(["in/*50"])
    qtbot.waitUntil(lambda: window.model.rowCount() == 50)
    QTest.keyClick(window.view, Qt.Key.Key_Escape)
    assert window.isVisible()
    assert "Esc once more" in window.bottom.state.text()
    QTest.keyClick(window.detail.words, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_escape_twice_leaves_from_a_dialog(make_window: MakeWindow) -> None:
    window = make_window(adults=False)
    window.add(["a.jpg"])
    QTest.keyClick(window.findChild(AgeQuestion), Qt.Key.Key_Escape)
    assert window.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_two_slow_presses_of_escape_do_not_leave(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desktop.window.quick_exit.WITHIN_MS", 20)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    QTest.qWait(60)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.isVisible()


def test_control_q_leaves(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitExposed(window)
    QTest.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert not window.isVisible()


def test_one_file_is_checked_thoroughly_on_request(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window.add(["in/*6"])
    qtbot.waitUntil(lambda: not window.session.busy)
    assert engine.profiles == [Profile.CASCADE]
    window.view.setCurrentIndex(window.model.index(2, 0))
    button = window.detail.thorough
    assert button.isVisible()
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not window.session.busy and len(engine.scanned_paths) == 7)
    assert engine.profiles == [Profile.CASCADE, Profile.THOROUGH]
    assert engine.scanned_paths[-1] == window.detail.row.path
    assert not button.isVisible()
    assert "This rests on the thorough check." in window.detail.words.toPlainText()
    assert window.model.table.counts().total == window.model.table.counts().done == 6
    window.view.setCurrentIndex(window.model.index(3, 0))
    assert button.isVisible()


def test_a_file_that_was_not_read_has_no_thorough_check(window: MainWindow, qtbot: QtBot) -> None:
    window.add(["in/*13"])
    qtbot.waitUntil(lambda: not window.session.busy)
    window.view.setCurrentIndex(window.model.index(12, 0))
    assert not window.detail.thorough.isVisible()
