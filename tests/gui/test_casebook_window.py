"""The casebook in the window, with a fake one: sidebar, item, forms, import, look-alikes, lock. Then a real one."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PySide6.QtCore import QDate, QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from desktop.casebook.records import CasebookError, Contact, NewItem, RequestState, Sighting
from desktop.safety import age_gate
from desktop.window import app, case_session, words
from desktop.window.add_files import AddFiles
from desktop.window.case_dialogs import (
    AnswerForm,
    ConsentForm,
    ContactForm,
    Contacts,
    DeleteItem,
    DeleteSighting,
    ExportForm,
    IncidentForm,
    MaybeMinorItem,
    NewPassphrase,
    RecoveryCode,
    RequestForm,
    ScreenshotForm,
    SightingForm,
    Unlock,
    WordsForm,
)
from desktop.window.case_forms import CaseForm
from desktop.window.case_import import gather
from desktop.window.case_session import CaseSession, CaseState
from desktop.window.case_sidebar import What
from desktop.window.dialogs import AgeQuestion, WhereToTurn
from desktop.window.main_window import MainWindow
from desktop.window.picture_view import SMALL, ClearSheet
from desktop.window.session import Session
from desktop.window.sightings import SightingsWindow
from desktop.window.table import Status
from detectors.errors import FileUnreadable
from detectors.inputs import find_inputs
from detectors.scan import Scanner, ScanOptions
from tests.gui.access import cut_off, nameless, unreachable
from tests.gui.conftest import MakeWindow
from tests.gui.fakes import NOW, RIGHT, FakeCasebook, FakeEngine, FakeStore, report_for
from tests.gui.test_app import POINTS

T = TypeVar("T", bound=QWidget)
PATH = Path("/nowhere/march.casebook")
# What only the casebook says. None of it may be left in a widget after a lock.
SECRETS = ("The picture of March", "county assembly", "Taken down everywhere", "Wanjiku", "my sister", "example.org")


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def closed(make_window: MakeWindow, store: FakeStore) -> MainWindow:
    """A window without a casebook."""
    return make_window(store=store)


@pytest.fixture
def opened(closed: MainWindow, store: FakeStore, qtbot: QtBot) -> MainWindow:
    """A window with an open casebook: one incident, two items (the second with its image), a sighting, two requests."""
    book = store.books[PATH] = FakeCasebook(store, PATH)
    incident = book.add_incident(
        "The picture of March", depicted="I am in the county assembly.", wanted="Taken down everywhere.", country="KE"
    )
    book.add_consent(incident.id, "Wanjiku Kamau", role="lawyer", authority="", scope="")
    for name, keep in (("first.jpg", None), ("second.jpg", b"pixels"), ("one other.jpg", None)):
        book.add_items(incident.id, [new_item(name, keep)])
    _, second, _ = book.items(incident.id)
    book.add_sighting(
        incident.id,
        "https://example.org/1",
        item_id=second.id,
        platform="Telegram",
        handle="@someone",
        seen_at="2026-11-23T21:14:00+03:00",
        time_zone="Africa/Nairobi",
        captured_how="",
        captured_by="ana",
        note="",
        maybe_minor=False,
    )
    book.add_note(incident.id, "Found by my sister.", item_id=second.id)
    due = "2031-11-26T12:00:00+00:00"
    book.add_request(incident.id, "X", state=RequestState.DRAFT)
    book.add_request(incident.id, "Telegram", due_at=due, state=RequestState.SENT, item_ids=(second.id,))
    closed.case.open_at(str(PATH))
    unlock(closed, qtbot, RIGHT)
    qtbot.waitUntil(lambda: closed.case.alikes.compared == 3)
    return closed


def new_item(name: str, image: bytes | None) -> NewItem:
    """A checked file as the casebook takes it; names that end alike have the same PDQ, none the same bytes."""
    views, report = FakeEngine().fingerprint(name).views, report_for(name, 2)
    assert report.analysis is not None
    hashes = replace(report.analysis.hashes, sha256=name.encode().hex().ljust(64, "0"), md5="", pdq=views[0].pdq)
    return NewItem(replace(report, analysis=replace(report.analysis, hashes=hashes)), views, name, "", image)


def shown(window: MainWindow, kind: type[T]) -> T:
    """The one dialog of a kind that is open."""
    (found,) = [w for w in window.findChildren(kind) if w.isVisible()]
    return found


def gone(dialog: QWidget) -> bool:
    """Whether a dialog was closed; it deletes itself then."""
    return not isValid(dialog) or not dialog.isVisible()


def wait_for(window: MainWindow, kind: type[T], qtbot: QtBot) -> T:
    """The same, once it is there."""
    qtbot.waitUntil(lambda: any(w.isVisible() for w in window.findChildren(kind)))
    return shown(window, kind)


def unlock(window: MainWindow, qtbot: QtBot, passphrase: str) -> None:
    """Types the passphrase into the dialog that asks for it."""
    form = wait_for(window, Unlock, qtbot)
    QTest.keyClicks(form.word, passphrase)
    QTest.keyClick(form.word, Qt.Key.Key_Return)
    if passphrase == RIGHT:
        qtbot.waitUntil(lambda: window.cases.is_open and window.case.contents is not None)


def choose(window: MainWindow, number: int, qtbot: QtBot) -> int:
    """Chooses the item of that number in the sidebar, and waits until it is shown."""
    assert window.case.contents is not None
    item = window.case.contents.items[number]
    assert window.case.sidebar.choose(What.ITEM, item.id)
    qtbot.waitUntil(lambda: window.case.pane.contents is not None and window.case.pane.contents.item.id == item.id)
    return item.id


def sidebar_lines(window: MainWindow) -> list[str]:
    """Every line of the sidebar's tree."""
    tree, found = window.case.sidebar.tree, []
    for top in range(tree.topLevelItemCount()):
        section = tree.topLevelItem(top)
        assert section is not None
        found += [section.text(0), *(section.child(n).text(0) for n in range(section.childCount()))]
    return found


def everything(window: MainWindow) -> str:
    """All text in any widget of the application, shown or not, and the clipboard."""
    found = [QGuiApplication.clipboard().text(), *sidebar_lines(window)]
    for widget in QApplication.allWidgets():
        names = ("text", "toPlainText", "currentText", "windowTitle", "accessibleName")
        for name in names[isinstance(widget, CaseForm) :]:  # a form's `text` makes a field
            if callable(getattr(widget, name, None)):
                found.append(str(getattr(widget, name)()))
        if isinstance(widget, QComboBox):
            found += [widget.itemText(n) for n in range(widget.count())]
    return "\n".join(found)


def test_there_is_no_sidebar_until_a_casebook_is_open(closed: MainWindow) -> None:
    assert not closed.case.sidebar.isVisible()
    assert not any(action.isEnabled() for action in closed.case_actions)
    assert "Open or make a casebook first" in closed.detail.add.toolTip()


def test_a_new_casebook_shows_its_recovery_code_once(closed: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    closed.case.new()
    dialog = closed.findChild(QFileDialog)
    dialog.fileSelected.emit(str(PATH))
    dialog.close()
    form = wait_for(closed, NewPassphrase, qtbot)
    assert {f.echoMode() for f in (form.first, form.second)} == {QLineEdit.EchoMode.Password}
    form.shown.setChecked(True)
    assert {f.echoMode() for f in (form.first, form.second)} == {QLineEdit.EchoMode.Normal}
    form.first.setText("short")
    form.save.click()
    assert "too short" in form.problem_text.text()
    form.first.setText(RIGHT)
    form.second.setText(RIGHT + "x")
    form.save.click()
    assert "not the same" in form.problem_text.text()
    assert PATH not in store.books
    form.second.setText(RIGHT)
    form.save.click()
    code = wait_for(closed, RecoveryCode, qtbot)
    assert code.code.toPlainText() == "ABCD-EFGH-JKMN"
    QTest.keyClick(code, Qt.Key.Key_Escape)
    assert code.isVisible(), "Esc does not lose the code"
    assert not code.close_button.isEnabled()
    code.written.setChecked(True)
    code.close_button.click()
    assert "ABCD" not in everything(closed)
    incident = wait_for(closed, IncidentForm, qtbot)
    incident.title.setText("March")
    incident.save.click()
    qtbot.waitUntil(lambda: closed.case.sidebar.incidents.currentText() == "March")
    assert not any("MainThread" in name for name in store.threads)


def test_a_wrong_passphrase_is_said_calmly_and_can_be_tried_again(
    closed: MainWindow, store: FakeStore, qtbot: QtBot
) -> None:
    closed.case.open_at(str(PATH))
    form = shown(closed, Unlock)
    unlock(closed, qtbot, "not this one")
    qtbot.waitUntil(lambda: "can try again" in form.problem_text.text())
    assert form.isVisible()
    assert form.save.isEnabled()
    assert closed.cases.state is CaseState.CLOSED
    form.word.selectAll()
    unlock(closed, qtbot, RIGHT)
    assert gone(form)
    assert closed.case.sidebar.isVisible()


def test_it_opens_with_the_recovery_code(closed: MainWindow, qtbot: QtBot) -> None:
    closed.case.open_at(str(PATH))
    form = shown(closed, Unlock)
    form.by_code.setChecked(True)
    assert form.word.accessibleName() == "Recovery code"
    QTest.keyClicks(form.word, "ABCD-EFGH-JKMN")
    form.save.click()
    qtbot.waitUntil(lambda: closed.cases.is_open)


def test_the_window_never_waits_for_the_casebook(closed: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    """While the casebook's thread is held, the window's loop goes on as if nothing were."""
    longest = 0.0
    last = time.monotonic()

    def tick() -> None:
        nonlocal longest, last
        now = time.monotonic()
        longest, last = max(longest, now - last), now

    timer = QTimer()
    timer.timeout.connect(tick)
    store.gate.clear()
    timer.start(5)
    closed.case.open_at(str(PATH))
    QTest.keyClicks(shown(closed, Unlock).word, RIGHT)
    shown(closed, Unlock).save.click()
    QTest.qWait(1000)
    timer.stop()
    assert closed.cases.state is CaseState.OPENING
    assert 0 < longest < 0.5, "held for a second, the loop turned all the while"
    store.gate.set()
    qtbot.waitUntil(lambda: closed.cases.is_open)


def test_the_sidebar_says_what_the_casebook_holds(opened: MainWindow) -> None:
    about = opened.case.sidebar.about.toPlainText()
    for said in ("I am in the county assembly.", "Taken down everywhere.", "Wanjiku Kamau (lawyer)"):
        assert said in about
    assert sidebar_lines(opened) == [
        "Items",
        "first.jpg\nLikely synthetic, no sighting yet",
        "second.jpg\nLikely synthetic, seen once",
        "one other.jpg\nLikely synthetic, no sighting yet",
        "Requests",
        "Telegram\nanswer by 26 November 2031",
        "X\nnot sent yet",
        "Look-alikes",
        "first.jpg and 1 like it",
    ]


def test_an_item_shows_its_words_and_timeline_and_the_look_is_logged(
    opened: MainWindow, store: FakeStore, qtbot: QtBot
) -> None:
    item_id = choose(opened, 1, qtbot)
    said = opened.case.pane.words.toPlainText()
    assert "23 November 2026, 21:14 (Africa/Nairobi, UTC+03:00)" in said
    assert "Note: Found by my sister." in said
    assert "Custody log: added by ana" in said
    assert "SHA-256" not in said
    opened.case.pane.hashes.click()
    assert "SHA-256" in opened.case.pane.words.toPlainText()
    assert store.books[PATH].logged.count(("viewed", item_id)) == 1
    assert opened.beside.currentIndex() == 1
    assert opened.case.pane.picture.isVisible()
    choose(opened, 0, qtbot)
    assert "SHA-256" not in opened.case.pane.words.toPlainText()
    assert not opened.case.pane.picture.isVisible()
    assert "No image of this item is kept" in opened.case.pane.no_picture.text()


def test_showing_a_kept_image_clear_is_logged_each_time(
    opened: MainWindow, store: FakeStore, engine: FakeEngine, qtbot: QtBot
) -> None:
    item_id = choose(opened, 1, qtbot)
    picture = opened.case.pane.picture
    qtbot.waitUntil(lambda: picture.reveal.blurred is not None)
    book = store.books[PATH]
    assert ("revealed", item_id) not in book.logged, "the blurred form is not a reveal"
    for times in (1, 2):
        picture.setFocus()
        QTest.keyPress(picture, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: picture.reveal.clear is not None)
        QTest.keyRelease(picture, Qt.Key.Key_Space)
        assert picture.reveal.clear is None
        assert book.logged.count(("revealed", item_id)) == times
    assert ("6 bytes", False) in engine.asked, "its bytes go to the sandboxed worker, never to a file"
    assert not any(s.holds_pixels for s in opened.findChildren(ClearSheet))


def test_choosing_a_file_takes_the_item_from_the_pane(opened: MainWindow, qtbot: QtBot) -> None:
    opened.add(["in/*3"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    choose(opened, 1, qtbot)
    rectangle = opened.view.visualRect(opened.view.currentIndex())
    QTest.mouseClick(opened.view.viewport(), Qt.MouseButton.LeftButton, pos=rectangle.center())
    assert opened.beside.currentIndex() == 0
    assert opened.case.pane.contents is None


def test_note_sighting_request_answer_and_description(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    book = store.books[PATH]
    item_id = choose(opened, 0, qtbot)
    pane = opened.case.pane
    pane.note.click()
    note = shown(opened, WordsForm)
    note.save.click()
    assert "nothing to save" in note.problem_text.text()
    note.words.setPlainText("She saw it first.")
    note.save.click()
    qtbot.waitUntil(lambda: "She saw it first." in pane.words.toPlainText())
    assert gone(note)
    pane.sighting.click()
    sighting = shown(opened, SightingForm)
    sighting.url.setText("https://example.org/2")
    sighting.seen.zone.setCurrentText("Nowhere/Town")
    sighting.save.click()
    assert "time zone" in sighting.problem_text.text()
    sighting.seen.zone.setCurrentText("Africa/Nairobi")
    sighting.save.click()
    qtbot.waitUntil(lambda: "https://example.org/2" in pane.words.toPlainText())
    (made,) = book.sightings(item_id=item_id)
    assert made.seen_at.endswith("+03:00")
    assert (made.time_zone, made.captured_how) == ("Africa/Nairobi", "I saw it on the screen")
    pane.request_wanted.emit()
    request = shown(opened, RequestForm)
    request.recipient.setText("A host")
    request.sent.known.setChecked(True)
    assert request.state.currentData() == RequestState.SENT, "what has been sent is no draft"
    request.due.known.setChecked(True)
    request.due.date.setDate(QDate(2032, 1, 5))
    request.save.click()
    qtbot.waitUntil(lambda: "A host\nanswer by 5 January 2032" in sidebar_lines(opened))
    made_request = book.requests(1)[-1]
    assert made_request.item_ids == [item_id]
    opened.case.edit_request(made_request.id)
    edited = wait_for(opened, RequestForm, qtbot)
    assert edited.recipient.isReadOnly()
    edited.answer_wanted.emit()
    answer = shown(opened, AnswerForm)
    answer.outcome.setCurrentText("Taken down")
    answer.state.setCurrentIndex(answer.state.findData(RequestState.DONE))
    answer.save.click()
    qtbot.waitUntil(lambda: "A host\ndone" in sidebar_lines(opened))
    assert "Taken down" in edited.answers.item(0).text()
    assert edited.state.currentData() == RequestState.DONE, "saving the form does not undo the answer"
    edited.reject()
    pane.description.click()
    words = shown(opened, WordsForm)
    words.words.setPlainText("A face on another body.")
    words.save.click()
    qtbot.waitUntil(lambda: "A face on another body." in pane.words.toPlainText())


def test_what_cannot_be_saved_stays_in_the_form(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    choose(opened, 0, qtbot)
    store.books[PATH].error = CasebookError("disk_full", "The disk is full.", "Make room, then save again.")
    opened.case.pane.note.click()
    note = shown(opened, WordsForm)
    note.words.setPlainText("Long and well considered.")
    note.save.click()
    qtbot.waitUntil(lambda: "The disk is full." in note.problem_text.text())
    assert note.words.toPlainText() == "Long and well considered."
    store.books[PATH].error = None
    note.save.click()
    qtbot.waitUntil(lambda: gone(note))


def test_who_may_act_for_her(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    opened.case.sidebar.edit.click()
    form = shown(opened, IncidentForm)
    form.consent_wanted.emit()
    consent = shown(opened, ConsentForm)
    consent.who.setText("Amina")
    consent.save.click()
    qtbot.waitUntil(lambda: "Amina" in opened.case.sidebar.about.toPlainText())
    form.consents.setCurrentRow(0)
    form.withdraw.click()
    qtbot.waitUntil(lambda: "withdrawn" in form.consents.item(0).text())
    qtbot.waitUntil(lambda: "Wanjiku" not in opened.case.sidebar.about.toPlainText())
    form.reject()


def test_deleting_is_explained_and_asked_once(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    item_id = choose(opened, 0, qtbot)
    opened.case.delete_item()
    form = shown(opened, DeleteItem)
    said = texts(form)
    assert "cannot be undone" in said
    assert "What remains" in said
    QTest.keyClick(form, Qt.Key.Key_Return)
    assert item_id in store.books[PATH].rows["item"], "Enter deletes nothing"
    opened.case.delete_item()
    shown(opened, DeleteItem).save.click()
    qtbot.waitUntil(lambda: len(opened.case.contents.items if opened.case.contents else ()) == 2)
    assert opened.case.pane.contents is None


def test_files_are_added_and_the_image_only_when_ticked(
    opened: MainWindow, store: FakeStore, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    kept: list[bool] = []

    def fake_gather(_engine: Any, report: Any, label: str, words: str, keep: bool, adults: age_gate.Adults) -> NewItem:
        assert isinstance(adults, age_gate.Adults)
        kept.append(keep)
        return replace(new_item(label, b"bytes" if keep else None), description=words)

    monkeypatch.setattr("desktop.window.case_desk.gather", fake_gather)
    opened.add(["in/*13"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    opened.view.selectRow(2)
    opened.detail.add.click()
    dialog = shown(opened, AddFiles)
    assert not dialog.keep.isChecked()
    assert dialog.description is not None
    dialog.description.setPlainText("In words.")
    dialog.save.click()
    qtbot.waitUntil(lambda: gone(dialog))
    assert kept == [False]
    opened.view.selectAll()
    assert "not readable" not in texts(opened).casefold()
    opened.add_to_case.trigger()
    batch = shown(opened, AddFiles)
    assert batch.files.count() == 12, "the file that could not be read is not offered"
    batch.keep.setChecked(True)
    batch.files.item(1).setCheckState(Qt.CheckState.Unchecked)
    batch.save.click()
    qtbot.waitUntil(lambda: batch.save.isHidden())
    assert len(kept) == 12, "one was left out"
    assert all(kept[1:])
    assert "11 of 12" in batch.problem_text.text()
    batch.reject()
    assert gone(batch)


def test_a_batch_can_be_stopped_at_any_file(
    opened: MainWindow, store: FakeStore, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    gate, begun = threading.Event(), threading.Event()

    def slow(_engine: Any, report: Any, label: str, *_rest: Any) -> NewItem:
        begun.set()
        gate.wait(20)
        return new_item(label, None)

    monkeypatch.setattr("desktop.window.case_desk.gather", slow)
    opened.add(["in/*6"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    opened.view.selectAll()
    opened.add_to_case.trigger()
    dialog = shown(opened, AddFiles)
    dialog.save.click()
    qtbot.waitUntil(begun.is_set)
    assert "Stop" in dialog.cancel.text()
    dialog.cancel.click()
    gate.set()
    qtbot.waitUntil(lambda: dialog.save.isHidden())
    assert "1 of 6" in dialog.problem_text.text(), "the file at hand was the last one"
    qtbot.waitUntil(lambda: len(opened.case.contents.items if opened.case.contents else ()) == 4)
    dialog.reject()


def test_nothing_is_added_without_the_answer_to_the_age_question(opened: MainWindow, qtbot: QtBot) -> None:
    opened.add(["in/*3"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    opened.adults = None
    opened.view.selectAll()
    opened.add_to_case.trigger()
    assert not [d for d in opened.findChildren(AddFiles) if d.isVisible()]


def test_maybe_under_18_shows_who_helps_and_records_text_alone(
    opened: MainWindow, store: FakeStore, engine: FakeEngine, qtbot: QtBot
) -> None:
    opened.adults = None
    opened.add(["a.jpg"])
    shown(opened, AgeQuestion).maybe_minor.emit()
    dialog = wait_for(opened, WhereToTurn, qtbot)
    assert dialog.country.currentData() == "KE", "her country, from the incident"
    assert "takeitdown.ncmec.org" in dialog.helplines.toPlainText()
    dialog.text_wanted.emit()
    form = shown(opened, SightingForm)
    form.url.setText("https://example.org/3")
    form.save.click()
    qtbot.waitUntil(lambda: gone(form))
    made = store.books[PATH].sightings()[-1]
    assert (made.maybe_minor, made.item_id, made.url) == (True, None, "https://example.org/3")
    assert engine.scanned_paths == []
    assert engine.asked == []
    qtbot.waitUntil(lambda: "Recorded as text only" in sidebar_lines(opened))
    assert opened.case.sidebar.choose(What.SIGHTING, made.id)
    opened.case.sidebar.tree.setFocus()
    QTest.keyClick(opened.case.sidebar.tree, Qt.Key.Key_Return)
    sightings = wait_for(opened, SightingsWindow, qtbot)
    qtbot.waitUntil(lambda: "Address: https://example.org/3" in sightings.words.text())
    assert not sightings.add.isEnabled(), "of what may show a minor no screenshot is kept"
    assert not sightings.picture.isVisible()
    sightings.close()
    dialog.close()


def test_without_a_casebook_no_recording_is_offered(closed: MainWindow, qtbot: QtBot) -> None:
    closed.case.where_to_turn()
    dialog = shown(closed, WhereToTurn)
    assert not [b for b in dialog.findChildren(QPushButton) if "Record" in b.text()]
    dialog.close()


def test_one_file_can_be_left_out_before_its_turn_and_after(
    closed: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    closed.session.pause(True)
    closed.add(["in/*200"])
    qtbot.waitUntil(lambda: closed.model.rowCount() == 200)
    closed.view.selectRow(140)
    QTest.keyClick(closed.view, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    closed.session.pause(False)
    qtbot.waitUntil(lambda: not closed.session.busy, timeout=20_000)
    rows = closed.model.table.rows
    assert rows[140].status is Status.LEFT_OUT
    assert not any("00140" in path for path in engine.scanned_paths), "it was never opened"
    assert len(engine.scanned_paths) == 199
    assert closed.bottom.state.text() == "Done."
    closed.view.selectRow(2)
    closed.minor.trigger()
    assert rows[2].status is Status.LEFT_OUT
    assert rows[2].result is None
    assert "You left this file out" in closed.detail.words.toPlainText()
    shown(closed, WhereToTurn).close()
    closed.add(["in/*200"])
    qtbot.waitUntil(lambda: not closed.session.busy and rows[140].status is Status.SCANNED, timeout=20_000)


LOCKS: list[Callable[[MainWindow], None]] = [
    lambda window: window.case.sidebar.lock_wanted.emit(),
    lambda window: window.leave(),
    lambda window: window.case.close(),
]


@pytest.mark.parametrize("lock", LOCKS, ids=["lock", "quick exit", "close"])
def test_after_a_lock_nothing_of_the_casebook_is_left_in_any_widget(
    opened: MainWindow, store: FakeStore, qtbot: QtBot, lock: Callable[[MainWindow], None]
) -> None:
    choose(opened, 1, qtbot)
    opened.case.pane.copied.emit("The picture of March")
    opened.case.edit_incident()
    opened.case.show_group(0)
    assert opened.case.contents is not None
    opened.case.edit_request(opened.case.contents.requests[0].id)
    wait_for(opened, RequestForm, qtbot)
    before = everything(opened)
    assert [s for s in SECRETS if s not in before] == [], "the check sees what is there"
    lock(opened)
    qtbot.waitUntil(lambda: store.books[PATH].closed)
    QTest.qWait(50)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    after = everything(opened)
    assert [s for s in SECRETS if s in after] == []
    assert opened.case.contents is None
    assert opened.case.pane.contents is None
    assert QGuiApplication.clipboard().text() == ""


def test_a_locked_casebook_says_so_and_goes_on_with_the_passphrase(
    opened: MainWindow, store: FakeStore, qtbot: QtBot
) -> None:
    opened.case.lock()
    assert opened.close_case.isEnabled()
    bar = opened.case.sidebar
    assert bar.isVisible()
    assert bar.state.text() == "Locked. Enter the passphrase to go on."
    bar.unlock.click()
    unlock(opened, qtbot, RIGHT)
    assert "first.jpg" in sidebar_lines(opened)[1]


def test_the_sidebar_can_be_hidden_and_shown(opened: MainWindow, qtbot: QtBot) -> None:
    for expected in (False, True):
        opened.side.trigger()
        QApplication.processEvents()
        assert (opened.case.sidebar.width() > 0 and opened.whole.sizes()[0] > 0) is expected


def test_a_casebook_is_closed_with_the_window(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    opened.close()
    qtbot.waitUntil(lambda: store.books[PATH].closed)


def test_it_locks_itself_when_nobody_is_there(
    opened: MainWindow, store: FakeStore, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    assert opened.cases.idle_seconds == 600
    opened.cases.idle_seconds = 0.4
    opened.cases._timer.setInterval(20)
    for _ in range(8):
        QTest.qWait(100)
        QTest.mouseMove(opened, QPoint(50 + _, 50))
        QTest.keyClick(opened.top.text, Qt.Key.Key_A)
    assert opened.cases.is_open, "somebody is there"
    qtbot.waitUntil(lambda: opened.cases.state is CaseState.LOCKED)
    qtbot.waitUntil(lambda: store.books[PATH].closed)


def test_a_computer_that_slept_locks_when_it_wakes(
    opened: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    now = time.time()
    opened.cases.touched()
    monkeypatch.setattr(case_session.time, "time", lambda: now + 601)
    opened.cases._look()
    assert opened.cases.state is CaseState.LOCKED


def test_what_is_half_written_is_saved_before_it_locks(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    choose(opened, 0, qtbot)
    opened.case.pane.note.click()
    shown(opened, WordsForm).words.setPlainText("Begun, not yet saved.")
    opened.case.lock()
    book = store.books[PATH]
    qtbot.waitUntil(lambda: book.closed)
    assert [n.text for n in book.notes()][-1] == "Begun, not yet saved."


def test_quick_exit_saves_what_is_half_written_too(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    choose(opened, 0, qtbot)
    opened.case.pane.note.click()
    note = shown(opened, WordsForm)
    note.words.setPlainText("Begun, then somebody came in.")
    QTest.keyClick(note.words, Qt.Key.Key_Escape)
    assert note.isVisible()
    assert "still here" in note.problem_text.text()
    QTest.keyClick(note.words, Qt.Key.Key_Escape)
    assert not opened.isVisible()
    book = store.books[PATH]
    qtbot.waitUntil(lambda: book.closed)
    assert [n.text for n in book.notes()][-1] == "Begun, then somebody came in."


def test_a_form_in_which_nothing_was_changed_goes_with_one_escape(opened: MainWindow, store: FakeStore) -> None:
    opened.case.edit_incident()
    form = shown(opened, IncidentForm)
    QTest.keyClick(form.title, Qt.Key.Key_Escape)
    assert gone(form)
    opened.case.edit_incident()
    before = store.books[PATH].rows["incident"].copy()
    opened.case.lock()
    opened.cases.end()
    assert store.books[PATH].rows["incident"] == before, "nor is it saved again at a lock"


def test_a_lock_while_it_opens_leaves_it_closed(closed: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    store.gate.clear()
    closed.case.open_at(str(PATH))
    shown(closed, Unlock).word.setText(RIGHT)
    shown(closed, Unlock).save.click()
    closed.case.lock()
    assert closed.cases.state is CaseState.CLOSED
    store.gate.set()
    qtbot.waitUntil(lambda: PATH in store.books and store.books[PATH].closed)
    assert not closed.case.sidebar.isVisible()


def test_an_answer_that_comes_after_the_lock_does_not_reach_the_screen(
    opened: MainWindow, store: FakeStore, qtbot: QtBot
) -> None:
    store.gate.clear()
    opened.case.reload()
    opened.case.lock()
    store.gate.set()
    qtbot.waitUntil(lambda: store.books[PATH].closed)
    QTest.qWait(50)
    assert sidebar_lines(opened) == []


def test_passphrase_backup_and_custody_log(opened: MainWindow, store: FakeStore, qtbot: QtBot) -> None:
    opened.case.change_passphrase()
    form = shown(opened, NewPassphrase)
    assert form.present is not None
    form.first.setText("another long passphrase")
    form.second.setText("another long passphrase")
    form.save.click()
    assert "present passphrase first" in form.problem_text.text()
    form.present.setText("not this one")
    form.save.click()
    qtbot.waitUntil(lambda: "Nothing was changed" in form.problem_text.text())
    assert store.books[PATH].passphrase == RIGHT
    assert form.first.text() == "another long passphrase", "what was typed stays"
    form.present.setText(RIGHT)
    form.save.click()
    code = wait_for(opened, RecoveryCode, qtbot)
    assert code.code.toPlainText() == "WXYZ-1234"
    assert store.books[PATH].passphrase == "another long passphrase"  # noqa: S105 - a fake one
    code.written.setChecked(True)
    code.close_button.click()
    opened.case.verify()
    box = wait_for(opened, QMessageBox, qtbot)
    assert "All 12 rows" in box.text()
    assert "head-of-12" in box.text()
    box.close()
    opened.case.back_up()
    dialog = opened.findChild(QFileDialog)
    dialog.fileSelected.emit("/nowhere/backup.casebook")
    dialog.close()
    qtbot.waitUntil(lambda: ("backup", 0) in store.books[PATH].logged)
    wait_for(opened, QMessageBox, qtbot).close()


@pytest.mark.parametrize("size", [(1024, 700), (1366, 768)])
def test_every_control_beside_the_casebook_has_a_name_is_reached_and_not_cut_off(
    opened: MainWindow, qtbot: QtBot, size: tuple[int, int]
) -> None:
    opened.resize(*size)
    opened.add(["in/*5"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    opened.activateWindow()
    qtbot.waitUntil(opened.isActiveWindow)
    for number in (None, 0, 1):
        if number is not None:
            choose(opened, number, qtbot)
        assert nameless(opened) == []
        assert unreachable(opened) == []
        assert cut_off(opened) == []
        assert opened.view.columnWidth(0) >= 100


def test_larger_fonts_fit_a_small_screen_beside_the_casebook(opened: MainWindow, qtbot: QtBot) -> None:
    before = QApplication.font()
    larger = QApplication.font()
    larger.setPointSizeF(larger.pointSizeF() * 1.5)
    QApplication.setFont(larger)
    try:
        opened.resize(1000, 640)
        opened.add(["in/*5"])
        qtbot.waitUntil(lambda: not opened.session.busy)
        choose(opened, 1, qtbot)
        QApplication.processEvents()
        assert opened.minimumSizeHint().width() <= 1000
        assert cut_off(opened) == []
    finally:
        QApplication.setFont(before)


def test_mnemonics_do_not_clash_beside_the_casebook(opened: MainWindow, qtbot: QtBot) -> None:
    opened.add(["in/*5"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    for number in (None, 1):
        if number is not None:
            choose(opened, number, qtbot)
        buttons = [b for b in opened.findChildren(QAbstractButton) if b.isVisible()]
        marked = [w.text() for w in [*buttons, *opened.menuBar().actions()] if "&" in w.text()]
        letters = sorted([text[text.index("&") + 1].lower() for text in marked] + ["s"])
        assert letters == sorted(set(letters)), marked


def forms(window: MainWindow) -> Iterator[QWidget]:
    """Every dialog of the casebook."""
    contents = window.case.contents
    assert contents is not None
    assert contents.incident is not None
    item, incident = contents.items[0], contents.incident
    sighting = Sighting(1, 1, 1, "https://example.org", "X", "@a", NOW, "UTC", "", "ana", "", False, False)
    yield NewPassphrase(window, for_new=True)
    yield NewPassphrase(window, for_new=False)
    yield Unlock(window, "a.casebook")
    yield RecoveryCode(window, "ABCD-EFGH")
    yield IncidentForm(window)
    yield IncidentForm(window, incident, contents.consents)
    yield ConsentForm(window, incident.id)
    yield WordsForm(window, words.translate("case", "Add a note"), "", "", lambda _text: lambda _book: None)
    yield SightingForm(window, incident.id, item, "ana")
    yield RequestForm(window, incident.id, [item])
    yield RequestForm(window, incident.id, [item], contents.requests[0])
    yield AnswerForm(window, contents.requests[0])
    yield DeleteItem(window, item)
    yield MaybeMinorItem(window, item)
    yield DeleteSighting(window, sighting)
    yield ScreenshotForm(window, "screen.png")
    yield ExportForm(window, incident)
    yield ContactForm(window, incident.id)
    contacts = Contacts(window)
    contacts.show_contacts([Contact(1, 1, "Wanjiku", "lawyer", "0700", "on Mondays")])
    yield contacts
    for one in (sighting, replace(sighting, has_screenshot=True), replace(sighting, maybe_minor=True)):
        sightings = SightingsWindow(window)
        sightings.show_sightings([one])
        yield sightings
    yield AddFiles(window, window.model.table.rows[:1])
    yield AddFiles(window, window.model.table.rows)
    yield WhereToTurn(window, "GB", casebook_open=True)


def test_every_dialog_works_by_keyboard_and_fits_a_small_screen(opened: MainWindow, qtbot: QtBot) -> None:
    opened.add(["in/*5"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    seen = 0
    for dialog in forms(opened):
        dialog.show()
        dialog.activateWindow()
        qtbot.waitUntil(dialog.isActiveWindow)
        name = f"{type(dialog).__name__} {dialog.windowTitle()}"
        assert dialog.height() < 620, name
        assert nameless(dialog) == [], name
        assert unreachable(dialog) == [], name
        assert cut_off(dialog) == [], name
        dialog.hide()
        dialog.deleteLater()
        seen += 1
    assert seen == 25


def test_all_text_of_the_dialogs_can_be_translated(opened: MainWindow, qtbot: QtBot) -> None:
    opened.add(["in/*5"])
    qtbot.waitUntil(lambda: not opened.session.busy)
    words.use_translator(lambda _context, text: f"⟦{text}⟧")
    try:
        said: list[str] = []
        for dialog in forms(opened):
            said += [dialog.windowTitle()]
            said += [w.text() for w in dialog.findChildren(QAbstractButton) if w.text()]
            said += [w.text() for w in dialog.findChildren(QLabel) if w.text()]
            said += [w.accessibleDescription() for w in dialog.findChildren(QWidget) if w.accessibleDescription()]
            said += [w.placeholderText() for w in dialog.findChildren(QLineEdit) if w.placeholderText()]
            dialog.deleteLater()
        assert len(said) > 150
        # Qt translates its own standard buttons.
        assert [t for t in said if "⟦" not in t and t not in ("&Cancel", "Cancel", "Close", "&Close")] == []
    finally:
        words.use_translator(None)


def test_a_file_is_gathered_as_it_was_checked(tmp_path: Path) -> None:
    """With its bytes and a small grey JPEG only where they are wanted; not at all when it is another file now."""
    picture, engine = tmp_path / "a.jpg", FakeEngine()
    picture.write_bytes(b"what was checked")
    sha256 = hashlib.sha256(b"what was checked").hexdigest()
    report = replace(report_for(str(picture), 2), sha256=sha256)
    adults = age_gate.admit(age_gate.Answer.ADULTS)
    assert adults is not None
    engine.fingerprint = lambda path: replace(FakeEngine().fingerprint(path), sha256=sha256)  # type: ignore[method-assign]
    bare = gather(engine, report, "a", "words", False, adults)
    assert (bare.image, bare.thumbnail, bare.label, bare.description) == (None, None, "a", "words")
    assert engine.asked == []
    whole = gather(engine, report, "a", "", True, adults)
    assert whole.image == b"what was checked"
    assert engine.asked == [("16 bytes", True)]
    assert whole.thumbnail is not None
    small = QImage.fromData(whole.thumbnail, "JPEG")
    assert max(small.width(), small.height()) <= SMALL
    picture.write_bytes(b"something else!!")
    with pytest.raises(FileUnreadable, match="changed_meanwhile"):
        gather(engine, report, "a", "", True, adults)
    with pytest.raises(FileUnreadable, match="changed_meanwhile"):
        gather(FakeEngine(), report, "a", "", False, adults)


def attach(window: MainWindow, path: str, answer: int) -> None:
    """Asks for a screenshot of the chosen sighting, and answers the question about age."""
    shown(window, SightingsWindow).add.click()
    shown(window, AgeQuestion).findChildren(QPushButton)[answer].click()
    if answer == 0:
        files = shown(window, QFileDialog)
        files.fileSelected.emit(path)
        files.close()


def test_a_screenshot_is_kept_only_after_the_question_and_shown_blurred(
    opened: MainWindow, store: FakeStore, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    path, book = tmp_path / "screen.png", store.books[PATH]
    path.write_bytes(b"a screenshot")
    sha256 = hashlib.sha256(b"a screenshot").hexdigest()
    engine.fingerprint = lambda path: replace(FakeEngine().fingerprint(path), sha256=sha256)  # type: ignore[method-assign]
    choose(opened, 1, qtbot)
    opened.case.pane.sightings_wanted.emit()
    window = shown(opened, SightingsWindow)
    qtbot.waitUntil(lambda: "@someone" in window.words.text())
    asked = len(engine.asked)
    attach(opened, str(path), 1)
    shown(opened, WhereToTurn).close()
    assert not [d for d in opened.findChildren(QFileDialog) if d.isVisible()], "no file is even chosen"
    attach(opened, str(path), 0)
    form = shown(opened, ScreenshotForm)
    assert "“screen.png” is copied into the casebook, encrypted" in texts(form)
    assert len(engine.asked) == asked, "nothing was opened before it was explained"
    form.save.click()
    qtbot.waitUntil(window.picture.isVisible)
    assert gone(form)
    (kept,) = book.screenshots.values()
    assert kept[0] == b"a screenshot"
    qtbot.waitUntil(lambda: window.picture.reveal.blurred is not None)
    (sighting,) = book.sightings(item_id=window.chosen.item_id if window.chosen else None)
    assert ("screenshot revealed", sighting.id) not in book.logged
    window.activateWindow()
    window.picture.setFocus()
    QTest.keyPress(window.picture, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.picture.reveal.clear is not None)
    QTest.keyRelease(window.picture, Qt.Key.Key_Space)
    assert window.picture.reveal.clear is None
    assert book.logged.count(("screenshot revealed", sighting.id)) == 1
    window.delete.click()
    delete = shown(opened, DeleteSighting)
    assert "What remains: that a sighting was deleted" in texts(delete)
    QTest.keyClick(delete, Qt.Key.Key_Return)
    assert book.sightings(item_id=sighting.item_id), "Enter does not delete"
    window.delete.click()
    shown(opened, DeleteSighting).save.click()
    qtbot.waitUntil(lambda: window.words.text() == "There is no sighting.")
    assert not book.sightings(item_id=sighting.item_id)
    assert not window.delete.isEnabled()
    opened.case.lock()
    qtbot.waitUntil(lambda: gone(window))


def test_contacts_and_an_export_that_says_it_is_not_encrypted(
    opened: MainWindow, store: FakeStore, qtbot: QtBot
) -> None:
    opened.case.show_contacts()
    dialog = shown(opened, Contacts)
    qtbot.waitUntil(lambda: dialog.list.count() == 1)
    dialog.add.click()
    form = shown(opened, ContactForm)
    form.save.click()
    assert "who it is" in form.problem_text.text()
    for field, text in ((form.name, "Wanjiku Kamau"), (form.role, "lawyer"), (form.address, "0700 000 000")):
        field.setText(text)
    form.save.click()
    qtbot.waitUntil(lambda: dialog.list.item(0).text() == "Wanjiku Kamau (lawyer)\n0700 000 000")
    dialog.close()
    book = store.books[PATH]
    for number, incident_id in ((0, book.incidents()[0].id), (1, 0)):
        opened.case.export()
        export = shown(opened, ExportForm)
        assert "The file is not encrypted." in texts(export)
        export.what.setCurrentIndex(number)
        export.save.click()
        files = shown(opened, QFileDialog)
        assert files.defaultSuffix() == "json"
        files.fileSelected.emit(f"/nowhere/{number}.json")
        files.close()
        qtbot.waitUntil(lambda n=number, i=incident_id: (f"export to {n}.json", i) in book.logged)
        box = wait_for(opened, QMessageBox, qtbot)
        assert "not encrypted" in box.text()
        box.close()
        qtbot.waitUntil(lambda b=box: gone(b))


@pytest.fixture
def real_casebook(tmp_path: Path) -> Iterator[Callable[[], MainWindow]]:
    """Windows with the real engine and the real casebook."""
    windows: list[MainWindow] = []

    def make() -> MainWindow:
        session = Session(lambda: Scanner(ScanOptions(jobs=1, points=POINTS)), find_inputs)
        window = MainWindow(session, CaseSession(app.casebooks, 10))
        window.adults = age_gate.admit(age_gate.Answer.ADULTS)
        windows.append(window)
        window.show()
        window.activateWindow()
        return window

    yield make
    for window in windows:
        window.hide()
        window.shutdown()
        window.deleteLater()


def test_a_real_casebook_from_new_to_reopened(
    real_casebook: Callable[[], MainWindow], tmp_path: Path, demo: Path, qtbot: QtBot
) -> None:
    """New, an incident, an item with its image, a sighting, its timeline, lock, unlock, and what the log says."""
    window, path = real_casebook(), tmp_path / "case.casebook"
    window.case._new_at(str(path))
    form = shown(window, NewPassphrase)
    form.first.setText(RIGHT)
    form.second.setText(RIGHT)
    form.save.click()
    code = wait_for_long(window, RecoveryCode, qtbot)
    recovery = code.code.toPlainText()
    code.written.setChecked(True)
    code.close_button.click()
    incident = wait_for(window, IncidentForm, qtbot)
    incident.title.setText("The picture of March")
    incident.save.click()
    qtbot.waitUntil(lambda: window.case.contents is not None and window.case.contents.incident is not None)
    picture = next(p for p in sorted(demo.iterdir()) if p.suffix == ".jpg" and "cut-short" not in p.name)
    window.add([str(picture)])
    qtbot.waitUntil(lambda: not window.session.busy, timeout=120_000)
    window.view.selectRow(0)
    window.add_to_case.trigger()
    dialog = shown(window, AddFiles)
    dialog.keep.setChecked(True)
    dialog.save.click()
    qtbot.waitUntil(lambda: gone(dialog), timeout=60_000)
    qtbot.waitUntil(lambda: len(window.case.contents.items if window.case.contents else ()) == 1)
    choose(window, 0, qtbot)
    view = window.case.pane.picture
    qtbot.waitUntil(lambda: view.reveal.blurred is not None, timeout=60_000)
    view.setFocus()
    QTest.keyPress(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: view.reveal.clear is not None, timeout=60_000)
    QTest.keyRelease(view, Qt.Key.Key_Space)
    window.case.pane.sighting.click()
    sighting = shown(window, SightingForm)
    sighting.url.setText("https://example.org/1")
    sighting.save.click()
    qtbot.waitUntil(lambda: "https://example.org/1" in window.case.pane.words.toPlainText())
    window.case.show_sightings()
    sightings = shown(window, SightingsWindow)
    qtbot.waitUntil(sightings.add.isEnabled)
    attach(window, str(picture), 0)
    shown(window, ScreenshotForm).save.click()
    qtbot.waitUntil(lambda: sightings.picture.reveal.blurred is not None, timeout=60_000)
    sightings.activateWindow()
    sightings.picture.setFocus()
    QTest.keyPress(sightings.picture, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: sightings.picture.reveal.clear is not None, timeout=60_000)
    QTest.keyRelease(sightings.picture, Qt.Key.Key_Space)
    sightings.close()
    window.case.show_contacts()
    shown(window, Contacts).add.click()
    contact = shown(window, ContactForm)
    contact.name.setText("Wanjiku")
    contact.save.click()
    exactly = Qt.MatchFlag.MatchExactly
    qtbot.waitUntil(lambda: bool(shown(window, Contacts).list.findItems("Wanjiku", exactly)))
    shown(window, Contacts).close()
    window.case.export()
    shown(window, ExportForm).save.click()
    shown(window, QFileDialog).fileSelected.emit(str(tmp_path / "out.json"))
    shown(window, QFileDialog).close()
    wait_for(window, QMessageBox, qtbot).close()
    exported = json.loads((tmp_path / "out.json").read_text())["incidents"][0]
    assert exported["contacts"][0]["name"] == "Wanjiku"
    assert exported["sightings"][0]["has_screenshot"] is True
    window.case.lock()
    qtbot.waitUntil(lambda: window.case.sidebar.state.text().startswith("Locked"))
    assert "https://example.org/1" not in everything(window)
    window.case.unlock()
    form2 = shown(window, Unlock)
    form2.word.setText("not the passphrase")
    form2.save.click()
    qtbot.waitUntil(lambda: "can try again" in form2.problem_text.text(), timeout=20_000)
    assert form2.save.isEnabled()
    form2.by_code.setChecked(True)
    form2.word.setText(recovery.lower())
    form2.save.click()
    qtbot.waitUntil(lambda: window.cases.is_open and window.case.contents is not None, timeout=20_000)
    advice = wait_for_long(window, QMessageBox, qtbot)
    assert "new passphrase" in advice.text()
    advice.close()
    choose(window, 0, qtbot)
    said = window.case.pane.words.toPlainText()
    for what in ("https://example.org/1", "added by", "viewed by", "revealed by"):
        assert what in said
    assert "exported by" in said
    window.case.show_sightings()
    sightings = shown(window, SightingsWindow)
    qtbot.waitUntil(sightings.picture.isVisible)
    sightings.delete.click()
    shown(window, DeleteSighting).save.click()
    qtbot.waitUntil(lambda: not sightings.delete.isEnabled())
    assert not sightings.picture.isVisible()
    sightings.close()
    window.case.change_passphrase()
    change = shown(window, NewPassphrase)
    assert change.present is not None
    change.first.setText("another long passphrase")
    change.second.setText("another long passphrase")
    change.present.setText("not the passphrase")
    change.save.click()
    qtbot.waitUntil(lambda: "Nothing was changed" in change.problem_text.text(), timeout=20_000)
    change.present.setText(recovery)
    change.save.click()
    code = wait_for_long(window, RecoveryCode, qtbot)
    assert code.code.toPlainText() != recovery
    code.written.setChecked(True)
    code.close_button.click()
    window.case.verify()
    box = wait_for_long(window, QMessageBox, qtbot)
    assert "are as they were written" in box.text()
    box.close()
    assert not path.read_bytes().startswith(b"SQLite")


def wait_for_long(window: MainWindow, kind: type[T], qtbot: QtBot) -> T:
    """As `wait_for`, for what takes as long as deriving a key on a busy machine."""
    qtbot.waitUntil(lambda: any(w.isVisible() for w in window.findChildren(kind)), timeout=30_000)
    return shown(window, kind)


def texts(widget: QWidget) -> str:
    """All labels."""
    return " ".join(label.text() for label in widget.findChildren(QLabel))
