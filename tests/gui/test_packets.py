"""Requests in the window, with a real casebook: the guided form, the packet that it makes, and what comes after."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QPlainTextEdit,
    QRadioButton,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from desktop.casebook.casebook import Casebook
from desktop.casebook.records import NewSighting, RequestState
from desktop.packets import age_files, signatures, verify
from desktop.packets import facts as facts_
from desktop.packets.facts_import import Difference
from desktop.packets.request import from_json
from desktop.safety import helplines
from desktop.window import app, packet_form, packet_jobs, packet_view, words
from desktop.window.case_dialogs import (
    AnswerForm,
    IncidentForm,
    MaybeMinorItem,
    NewPassphrase,
    RecoveryCode,
    RequestForm,
    SightingForm,
)
from desktop.window.case_sidebar import What
from desktop.window.dialogs import WhereToTurn
from desktop.window.main_window import MainWindow
from desktop.window.packet_facts import FactsWindow, ImportFacts
from desktop.window.packet_form import PacketForm
from desktop.window.packet_pages import FieldsPage, ReviewPage, SavePage, SendPage, WayPage
from desktop.window.packet_places import WherePage
from desktop.window.packet_track import SentForm, TrackWindow
from desktop.window.picture_view import PictureView
from desktop.window.sightings import SightingsWindow
from tests.gui.access import cut_off, nameless, unreachable
from tests.gui.conftest import MakeWindow
from tests.gui.fakes import RIGHT, FakeEngine
from tests.gui.test_casebook_window import everything, new_item, shown, wait_for

T = TypeVar("T")
NAME = "Amina Okoro-Lindqvist"
POST = "https://x.com/example_account/status/18999999999999999{n:02}"
TYPED = {"depicted": "Councillor", "what": "The second picture", "contact": "desk@chambers.example", "sign": NAME}
SAID = "I never posed for it and never agreed that anyone makes or shows it."


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A casebook file: one incident, two items (the second with its image), three sightings of the first."""
    path = tmp_path_factory.mktemp("case") / "march.casebook"
    book, _code = Casebook.create(path, RIGHT, "ana")
    incident = book.add_incident("The picture of March", depicted=NAME, wanted="Taken down.", country="KE")
    book.add_items(incident.id, [new_item("first.jpg", None)])
    book.add_items(
        incident.id, [replace(new_item("second.jpg", b"pixels"), thumbnail=b"small", media_type="image/jpeg")]
    )
    first, _second = book.items(incident.id)
    for n in range(3):
        book.add_sighting(incident.id, POST.format(n=n), item_id=first.id, platform="X", handle="@example_account")
    book.close()
    return path.read_bytes()


@pytest.fixture
def path(made: bytes, tmp_path: Path) -> Path:
    """The casebook of this test."""
    path = tmp_path / "march.casebook"
    path.write_bytes(made)
    return path


@pytest.fixture
def window(make_window: MakeWindow, path: Path, qtbot: QtBot) -> MainWindow:
    """A window with the real casebook open, at the size of a small screen."""
    window = make_window(store=app.casebooks())
    window.resize(1024, 700)
    open_case(window, path, qtbot)
    return window


def open_case(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    """Opens the casebook without the dialog, and waits until it is shown."""
    window.cases.open(str(path), RIGHT, "ana", lambda _noticed: window.case.reload(), pytest.fail)
    qtbot.waitUntil(lambda: window.case.contents is not None, timeout=20_000)


def ask(window: MainWindow, job: Callable[[Any], T], qtbot: QtBot) -> T:
    """What the casebook says."""
    found: list[T] = []
    window.cases.ask(job, found.append)
    qtbot.waitUntil(lambda: bool(found), timeout=20_000)
    return found[0]


def begin(window: MainWindow, qtbot: QtBot) -> PacketForm:
    """The form, from the sidebar."""
    window.case.sidebar.packet.click()
    form = wait_for(window, PacketForm, qtbot)
    settle(form, qtbot)
    return form


def settle(form: PacketForm, qtbot: QtBot) -> None:
    """Until a page is shown and can be answered."""
    qtbot.waitUntil(lambda: form.page is not None and not form._busy, timeout=30_000)


def page(form: PacketForm) -> str:
    return "" if form.page is None else form.page.id


def next_page(form: PacketForm, qtbot: QtBot) -> str:
    """Presses Next, and waits for the page after."""
    before = page(form)
    form.next.click()
    qtbot.waitUntil(lambda: not form._busy and (page(form) != before or form.problem_text.isVisible()), timeout=30_000)
    return page(form)


def choose(form: PacketForm, key: str, value: str) -> None:
    """Chooses one of a few."""
    assert isinstance(form.widget, FieldsPage)
    (field,) = [f for f in form.widget.page.fields if f.key == key]
    number = [code for code, _ in field.options].index(value)
    form.widget.groups[key].button(number).click()


def fill(form: PacketForm, **more: str) -> None:
    """Answers the shown page as she would; `more` are other texts by the last part of a field's key."""
    widget = form.widget
    answers = {"gate.age": "adults", "gate.kind": "intimate", "sender.role": "depicted", "signature.kind": "typed"}
    texts = {"identification": "the picture in the post", "email": "desk@chambers.example", "text": NAME, **more}
    if not isinstance(widget, FieldsPage):
        return
    for key in widget.groups:
        if key in answers:
            choose(form, key, answers[key])
    for key, field in widget.fields.items():
        if isinstance(field, QCheckBox) and key.startswith("statements"):
            field.setChecked(True)
        elif isinstance(field, QLineEdit) and not field.text():
            field.setText(texts.get(key.split(".")[-1], ""))
        elif isinstance(field, QPlainTextEdit) and not field.toPlainText():
            field.setPlainText(SAID)


def go_to(form: PacketForm, wanted: str, qtbot: QtBot) -> list[str]:
    """Answers every page until one is shown; the pages on the way."""
    seen = [page(form)]
    while page(form) != wanted:
        fill(form)
        before = page(form)
        assert next_page(form, qtbot) != before, (before, form.problem_text.text())
        seen.append(page(form))
        assert len(seen) < 30
    return seen


def save(form: PacketForm, folder: Path, qtbot: QtBot) -> None:
    """Saves the packet from the page for that."""
    assert isinstance(form.widget, SavePage)
    form.folder = str(folder)
    form.widget.folder.setText(str(folder))
    form.next.click()
    qtbot.waitUntil(lambda: form.is_building, timeout=5000)
    qtbot.waitUntil(lambda: not form.is_building and not form._busy, timeout=120_000)


def cut(form: PacketForm) -> list[str]:
    """Buttons whose text is cut off. What is outside of a page that scrolls is come to by Tab."""
    return [c for c in cut_off(form) if not c.startswith("outside")]


def labels(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel))


# The whole path


def test_from_the_sidebar_to_a_packet_that_verifies_and_a_request_that_is_tracked(
    window: MainWindow, tmp_path: Path, engine: FakeEngine, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    seen = go_to(form, "save", qtbot)
    assert seen == [
        "age",
        "kind",
        "role",
        "depicted",
        "where",
        "what",
        "way",
        "text:relevant_information",
        "statements",
        "contact",
        "sign",
        "include",
        "review",
        "save",
    ]
    assert "3 addresses: 3 reports, as this form takes one each." in labels(form)
    assert form.next.text() == "&Save the packet"
    save(form, tmp_path / "out", qtbot)
    assert page(form) == "send"
    assert isinstance(form.widget, SendPage)
    packets = sorted((tmp_path / "out").glob("request-*.zip"))
    assert len(packets) == 3
    addresses = set()
    for packet in packets:
        found = verify.verify(packet.read_bytes())
        assert found.ok, found.problems
        assert found.signer == ask(
            window, lambda book: signatures.fingerprint(signatures.raw_public(book.signing_key())), qtbot
        )
        assert (tmp_path / "out" / f"{packet.name}.sha256").is_file()
        assert (tmp_path / "out" / f"for-you-{packet.stem}.txt").is_file()
        addresses |= {n for n in range(3) if POST.format(n=n).encode() in packet.read_bytes()}
    assert addresses == {0, 1, 2}, "each report has its own"
    assert engine.asked == [], "no picture was opened for it"
    actions = ask(window, lambda book: [row.action for row in book.log_about(["item 1", "item 2"])[0]], qtbot)
    assert not {"viewed", "revealed"} & set(actions)
    form.widget.reference.setText("4711")
    form.widget.done.click()
    qtbot.waitUntil(lambda: not isValid(form) or not form.isVisible())
    (record,) = ask(window, lambda book: book.requests(1), qtbot)
    assert (record.recipient, record.reference, record.state) == ("X", "4711", RequestState.SENT)
    assert "TAKE IT DOWN Act" in record.legal_basis
    assert record.due_at is not None
    assert len(record.sighting_ids) == 3
    assert len(ask(window, lambda book: book.packets(record.id), qtbot)) == 3
    qtbot.waitUntil(lambda: any("answer by" in e.text(0) for e in entries(window)))


def entries(window: MainWindow) -> list[Any]:
    """The requests in the sidebar."""
    bar = window.case.sidebar
    return [entry for (what, _), entry in bar._entries.items() if what is What.REQUEST]


def test_no_picture_is_anywhere_in_the_form(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    checked = 0
    while page(form) != "save":
        assert form.findChildren(PictureView) == []
        assert [w for w in form.findChildren(QLabel) if not w.pixmap().isNull() or w.movie() is not None] == []
        assert [b for b in form.findChildren(QAbstractButton) if not b.icon().isNull()] == []
        for view in form.findChildren(QListWidget):
            assert [n for n in range(view.count()) if not view.item(n).icon().isNull()] == []
        checked += 1
        fill(form)
        next_page(form, qtbot)
    assert checked == 13
    label = QLabel(form)
    label.setPixmap(window.grab())
    assert [w for w in form.findChildren(QLabel) if not w.pixmap().isNull()] == [label], "the check sees one"


# Left, locked, taken up again


def test_it_is_left_at_any_step_and_taken_up_again_there(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    go_to(form, "text:relevant_information", qtbot)
    text = form.widget.findChild(QPlainTextEdit) if form.widget else None
    assert text is not None
    text.setPlainText("Half a sentence")
    form.leave.click()
    qtbot.waitUntil(lambda: not isValid(form) or not form.isVisible())
    qtbot.waitUntil(lambda: [e.text(0) for e in entries(window)] == ["X\nbeing prepared"])
    window.case.show_request(1)
    again = wait_for(window, PacketForm, qtbot)
    settle(again, qtbot)
    assert page(again) == "text:relevant_information"
    assert again.request.texts.relevant_information == "Half a sentence"
    assert again.focusWidget() is again.widget.first if again.widget else False
    assert ask(window, lambda book: len(book.requests(1)), qtbot) == 1, "it is the same request"


def test_a_lock_in_the_middle_keeps_what_was_typed_and_leaves_nothing_on_the_screen(
    window: MainWindow, path: Path, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    go_to(form, "contact", qtbot)
    fill(form, email="nobody@else.example")
    assert form.unsaved()
    window.case.lock()
    qtbot.waitUntil(lambda: not isValid(form) or not form.isVisible())
    QApplication.sendPostedEvents(None, 0)
    qtbot.waitUntil(lambda: window.cases.state.value == "locked")
    qtbot.waitUntil(lambda: "nobody@else.example" not in everything(window) and NAME not in everything(window))
    open_case(window, path, qtbot)
    kept = ask(window, lambda book: book.packet_form(1), qtbot)
    assert from_json(kept.form).sender.email == "nobody@else.example"
    assert kept.step == "contact"


def test_escape_twice_leaves_at_once_and_saves_the_form(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QApplication, "quit", lambda: None)
    form = begin(window, qtbot)
    go_to(form, "depicted", qtbot)
    assert isinstance(form.widget, FieldsPage)
    office = form.widget.fields["depicted.office"]
    QTest.keyClicks(office, "City councillor")
    QTest.keyClick(office, Qt.Key.Key_Escape)
    assert form.isVisible()
    assert "still here" in form.problem_text.text()
    QTest.keyClick(office, Qt.Key.Key_Escape)
    assert not window.isVisible()
    window.shutdown()
    book = Casebook.open(path, RIGHT, "ana")
    kept = book.packet_form(1)
    book.close()
    assert from_json(kept.form).depicted.office == "City councillor"


def test_a_form_in_which_nothing_was_answered_leaves_no_trace(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    assert not form.unsaved()
    QTest.keyClick(form, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not isValid(form) or not form.isVisible())
    assert ask(window, lambda book: book.requests(1), qtbot) == []


# The questions before


def test_maybe_under_18_prepares_nothing_and_shows_where_to_turn(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    choose(form, "gate.age", "unsure")
    form.next.click()
    turn = wait_for(window, WhereToTurn, qtbot)
    assert turn.country.currentData() == "KE"
    assert not isValid(form) or not form.isVisible()
    assert ask(window, lambda book: book.requests(1), qtbot) == []
    assert engine.asked == []


def test_what_looks_like_a_deleted_item_is_named_where_somebody_may_be_under_18(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def alike(book: Any, item_id: int) -> tuple[int, ...]:
        asked.extend(i.id for i in book.items())
        return (2,)

    monkeypatch.setattr("desktop.casebook.alike.alike_left", alike)
    assert window.case.sidebar.choose(What.ITEM, 1)
    qtbot.waitUntil(lambda: window.case.pane.contents is not None)
    window.case.maybe_minor_item()
    shown(window, MaybeMinorItem).save.click()
    turn = wait_for(window, WhereToTurn, qtbot)
    assert asked == [1, 2], "asked before the fingerprints are gone"
    assert "second.jpg" in labels(turn)
    assert "still there" in labels(turn)


def test_help_lines_that_were_imported_by_hand_are_shown_too(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (helplines.FOLDER / "chayn.toml").read_text().replace('name = "Chayn"', 'name = "A new help line"')
    folder = tmp_path / "facts" / "2026-11-28" / "helplines"
    folder.mkdir(parents=True)
    (folder / "new.toml").write_text(text.replace('who = "adults"', 'who = "all"'))
    monkeypatch.setattr(helplines, "added", lambda: tmp_path / "facts")
    monkeypatch.setattr(packet_jobs, "added", lambda: tmp_path / "facts")
    window.case.where_to_turn()
    turn = wait_for(window, WhereToTurn, qtbot)
    qtbot.waitUntil(lambda: "A new help line" in turn.helplines.toPlainText(), timeout=20_000)


def test_a_form_that_was_begun_goes_when_somebody_says_later_that_it_may_be_a_child(
    window: MainWindow, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    go_to(form, "contact", qtbot)
    form.go("age")
    qtbot.waitUntil(lambda: page(form) == "age" and not form._busy)
    choose(form, "gate.age", "unsure")
    form.next.click()
    wait_for(window, WhereToTurn, qtbot)
    qtbot.waitUntil(lambda: ask(window, lambda book: book.packet_forms(1), qtbot) == [])
    (record,) = ask(window, lambda book: book.requests(1), qtbot)
    assert (record.state, record.sighting_ids, record.item_ids) == (RequestState.WITHDRAWN, (), ())


@pytest.mark.parametrize("kind", ["satire", "news", "other"])
def test_what_is_not_for_this_is_not_prepared(window: MainWindow, qtbot: QtBot, kind: str) -> None:
    form = begin(window, qtbot)
    fill(form)
    next_page(form, qtbot)
    choose(form, "gate.kind", kind)
    assert next_page(form, qtbot) == "kind"
    assert form.problem_text.text()
    assert [p.id for p in form.pages] == ["age", "kind"]


def test_a_question_is_not_passed_without_an_answer(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    assert next_page(form, qtbot) == "age"
    assert "choose one of the two" in form.problem_text.text()


def test_from_nothing_to_the_first_question(make_window: MakeWindow, tmp_path: Path, qtbot: QtBot) -> None:
    """She has one address, no picture and no casebook, and never saw the window before."""
    window = make_window(store=app.casebooks())
    window.empty.request.click()
    box = shown(window, QMessageBox)
    assert "encrypted" in box.text()
    next(b for b in box.buttons() if "new" in b.text()).click()
    dialog = window.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "mine.casebook"))
    dialog.close()
    form = wait_for(window, NewPassphrase, qtbot)
    form.first.setText(RIGHT)
    form.second.setText(RIGHT)
    form.save.click()
    qtbot.waitUntil(lambda: any(w.isVisible() for w in window.findChildren(RecoveryCode)), timeout=30_000)
    code = shown(window, RecoveryCode)
    code.written.setChecked(True)
    code.close_button.click()
    incident = wait_for(window, IncidentForm, qtbot)
    incident.title.setText("The picture of March")
    incident.save.click()
    asked = wait_for(window, PacketForm, qtbot)
    settle(asked, qtbot)
    assert page(asked) == "age"
    asked.reject()
    window.empty.request.click()
    settle(wait_for(window, PacketForm, qtbot), qtbot)


# What is missing


def test_what_is_missing_is_listed_leads_there_and_makes_a_draft(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    go_to(form, "statements", qtbot)
    while page(form) != "review":
        next_page(form, qtbot)
    review = form.widget
    assert isinstance(review, ReviewPage)
    headings = [review.list.item(n).text() for n, line in enumerate(review.lines) if line is None]
    assert headings[0] == "Missing"
    assert "There" in headings
    assert review.list.item(1).data(Qt.ItemDataRole.AccessibleTextRole).startswith("Missing: "), (
        "heard with its heading"
    )
    missing = [line for line in review.lines[1 : review.lines.index(None, 1)] if line is not None]
    assert {line.page for line in missing} == {"statements", "contact", "sign"}
    steps = [form.steps.item(n).text() for n in range(form.steps.count())]
    assert any("Missing: Signature" in text for text in steps)
    review.list.setCurrentRow(review.lines.index(next(line for line in missing if line.page == "sign")))
    review.to.click()
    qtbot.waitUntil(lambda: page(form) == "sign" and not form._busy)
    form.go("save")
    qtbot.waitUntil(lambda: page(form) == "save" and not form._busy)
    assert form.next.text() == "&Save as a draft"
    save(form, tmp_path / "out", qtbot)
    assert page(form) == "save"
    assert "Do not send it" in form.problem_text.text()
    assert list((tmp_path / "out").glob("draft-*.zip"))
    assert ask(window, lambda book: book.packets(1), qtbot) == [], "a draft is none to send"


def test_a_step_of_the_side_list_is_gone_to_by_keyboard(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    go_to(form, "where", qtbot)
    form.steps.setFocus()
    form.steps.setCurrentRow(1)
    assert page(form) == "where", "looking along the list goes nowhere"
    QTest.keyClick(form.steps, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page(form) == "role" and not form._busy)
    assert not form.steps.item(11).flags() & Qt.ItemFlag.ItemIsEnabled


# Places


def test_addresses_that_are_added_become_sightings(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    go_to(form, "where", qtbot)
    where = form.widget
    assert isinstance(where, WherePage)
    where.none.click()
    where.more.setPlainText("https://x.com/example_account/status/1\nnot an address")
    assert next_page(form, qtbot) == "where"
    assert "This is not an address: not an address" in form.problem_text.text()
    where.more.setPlainText("https://x.com/example_account/status/1")
    next_page(form, qtbot)
    assert [s.url for s in form.request.sightings] == ["https://x.com/example_account/status/1"]
    urls = ask(window, lambda book: [s.url for s in book.sightings(1)], qtbot)
    assert urls.count("https://x.com/example_account/status/1") == 1
    form.go("where")
    qtbot.waitUntil(lambda: page(form) == "where" and not form._busy)
    assert isinstance(form.widget, WherePage)
    assert form.widget.model.ticked.count(True) == 1
    assert len(form.widget.model.ticked) == 4
    form.widget.none.click()
    tick(form.widget, 0, on=False)
    go_to(form, "what", qtbot)
    form.go("where")
    qtbot.waitUntil(lambda: page(form) == "where" and not form._busy)
    assert isinstance(form.widget, WherePage)
    assert form.widget.model.rowCount() == 4, "what was added and then unticked can still be chosen"


def test_many_places_on_several_sites_are_chosen_by_site(window: MainWindow, qtbot: QtBot) -> None:
    for n in range(40):
        url = f"https://images.example/{n}"
        ask(window, lambda book, url=url: book.add_sighting(1, url), qtbot)
    form = begin(window, qtbot)
    go_to(form, "where", qtbot)
    where = form.widget
    assert isinstance(where, WherePage)
    assert [where.hosts.itemText(n) for n in range(where.hosts.count())][1:] == ["x.com", "images.example"]
    where.hosts.setCurrentIndex(2)
    where.hosts.activated.emit(2)
    go_to(form, "way", qtbot)
    assert len(form.request.sightings) == 40
    ways = form.widget
    assert isinstance(ways, WayPage)
    said = []
    for row in range(ways.list.count()):
        ways.list.setCurrentRow(row)
        said.append(ways.about.toPlainText())
    assert any("40 addresses: 1 report, as this form takes a list" in text for text in said)


def test_each_request_takes_one_platform_and_the_next_goes_on_with_the_rest(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    others = ["https://t.me/channel/1", "https://t.me/channel/2", "https://gallery.example/1"]
    ask(window, lambda book: book.add_sightings(1, [NewSighting(url) for url in others]), qtbot)
    form = begin(window, qtbot)
    go_to(form, "way", qtbot)
    ways = form.widget
    assert isinstance(ways, WayPage)
    assert "3 addresses: 3 reports" in ways.list.item(0).text()
    first = form.request.sightings
    assert len(first) == 6
    next_page(form, qtbot)
    assert form.request.platform == "x"
    assert {s.url for s in form.request.sightings} == {POST.format(n=n) for n in range(3)}
    form.go("way")
    qtbot.waitUntil(lambda: page(form) == "way" and not form._busy)
    assert isinstance(form.widget, WayPage)
    platforms = [route.platform_id for route in form.widget.routes]
    assert "telegram" in platforms, "the other ways are still there"
    form.widget.list.setCurrentRow(platforms.index("telegram"))
    next_page(form, qtbot)
    assert [s.url for s in form.request.sightings] == others[:2]
    form.go("way")
    qtbot.waitUntil(lambda: page(form) == "way" and not form._busy)
    assert isinstance(form.widget, WayPage)
    form.widget.list.setCurrentRow(0)
    go_to(form, "save", qtbot)
    save(form, tmp_path / "out", qtbot)
    assert isinstance(form.widget, SendPage)
    assert "3 more places are in no request yet" in form.widget.said.toPlainText()
    form.reject()
    again = begin(window, qtbot)
    assert isinstance(again.widget, FieldsPage)
    assert "asked anew" in labels(again.widget)
    assert [s.url for s in again.request.sightings] == others
    assert again.request.sender.role == "depicted"
    assert again.request.texts.relevant_information == SAID
    assert not again.request.signature.kind
    go_to(again, "where", qtbot)
    assert isinstance(again.widget, WherePage)
    lines = [again.widget.model.line(row) for row in range(again.widget.model.rowCount())]
    assert sum("(in another request)" in line for line in lines) == 3
    assert again.widget.count.text() == "3 of 6 chosen"


def test_a_way_that_is_refused_is_shown_last_with_its_reason_and_not_taken(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    go_to(form, "way", qtbot)
    ways = form.widget
    assert isinstance(ways, WayPage)
    assert ways.list.item(0).text().startswith("Recommended first: X")
    refused = [n for n, route in enumerate(ways.routes) if route.refused]
    assert refused
    assert refused == list(range(len(ways.routes) - len(refused), len(ways.routes)))
    ways.list.setCurrentRow(refused[0])
    assert ways.routes[refused[0]].refused in ways.about.toPlainText()
    assert next_page(form, qtbot) == "way"
    assert "This way is not offered" in form.problem_text.text()


@pytest.mark.parametrize("start", ["item", "sighting"])
def test_it_begins_from_an_item_and_from_a_sighting(window: MainWindow, qtbot: QtBot, start: str) -> None:
    if start == "item":
        assert window.case.sidebar.choose(What.ITEM, 1)
        qtbot.waitUntil(lambda: window.case.pane.contents is not None)
        window.case.pane.packet.click()
    else:
        assert window.case.sidebar.choose(What.ITEM, 1)
        qtbot.waitUntil(lambda: window.case.pane.contents is not None)
        window.case.show_sightings()
        sightings = wait_for(window, SightingsWindow, qtbot)
        qtbot.waitUntil(lambda: sightings.list.count() == 3)
        sightings.list.setCurrentRow(1)
        sightings.packet.click()
    form = wait_for(window, PacketForm, qtbot)
    settle(form, qtbot)
    assert [i.id for i in form.request.items] == [1]
    assert len(form.request.sightings) == (3 if start == "item" else 1)
    assert len(form.everything.items) == 2, "the others can be chosen too"


# While a packet is made


def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    gate = threading.Event()
    built = packet_jobs.build

    def slow(*args: Any) -> Any:
        gate.wait(20)
        return built(*args)

    monkeypatch.setattr(packet_jobs, "build", slow)
    yield gate
    gate.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Holds the worker before each packet until it is set."""
    yield from hold(monkeypatch)


def test_the_window_never_waits_for_a_packet(
    window: MainWindow, tmp_path: Path, gate: threading.Event, qtbot: QtBot
) -> None:
    """While the worker's thread is held, the window's loop goes on, and the form says what is going on."""
    form = begin(window, qtbot)
    go_to(form, "save", qtbot)
    assert isinstance(form.widget, SavePage)
    form.folder = str(tmp_path / "out")
    form.widget.folder.setText(form.folder)
    turns = 0

    def tick() -> None:
        nonlocal turns
        turns += 1

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(5)
    form.next.click()
    qtbot.waitUntil(lambda: "Making packet 1 of 3" in form.problem_text.text())
    before = turns
    QTest.qWait(300)
    timer.stop()
    assert turns > before + 10
    assert form.is_building
    form.stop.click()
    assert "Stopped" in form.problem_text.text()
    gate.set()
    QTest.qWait(200)
    assert page(form) == "save"
    qtbot.waitUntil(lambda: len(list((tmp_path / "out").glob("*.zip"))) == 1, timeout=20_000)


def test_a_lock_while_a_packet_is_made_brings_nothing_back(
    window: MainWindow, tmp_path: Path, gate: threading.Event, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    go_to(form, "save", qtbot)
    assert isinstance(form.widget, SavePage)
    form.folder = str(tmp_path / "out")
    form.widget.folder.setText(form.folder)
    form.next.click()
    qtbot.waitUntil(lambda: "Making packet 1 of 3" in form.problem_text.text())
    window.case.lock()
    gate.set()
    qtbot.waitUntil(lambda: not isValid(form) or not form.isVisible())
    QTest.qWait(300)
    assert NAME not in everything(window)
    assert len(list((tmp_path / "out").glob("*.zip"))) <= 1, "no further one is begun"


def tick(where: WherePage, row: int, *, on: bool = True) -> None:
    """Ticks a place, or takes the tick away."""
    state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
    where.model.setData(where.model.index(row), state, Qt.ItemDataRole.CheckStateRole)


def one_place(form: PacketForm, qtbot: QtBot) -> None:
    """Up to the page where the packet is saved, with one address."""
    go_to(form, "where", qtbot)
    assert isinstance(form.widget, WherePage)
    form.widget.none.click()
    tick(form.widget, 0)
    go_to(form, "save", qtbot)


def test_a_passphrase_leaves_only_the_encrypted_packet(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    one_place(form, qtbot)
    saving = form.widget
    assert isinstance(saving, SavePage)
    form.next.click()
    assert "choose a folder" in form.problem_text.text()
    saving.folder_wanted.emit()
    files = shown(window, QFileDialog)
    files.fileSelected.emit(str(tmp_path / "out"))
    files.close()
    assert saving.folder.text() == str(tmp_path / "out")
    saving.how.button(1).click()
    form.next.click()
    assert "too short" in form.problem_text.text()
    saving.word.setText("another long passphrase")
    saving.again.setText("another long passphras")
    form.next.click()
    assert "not the same" in form.problem_text.text()
    saving.again.setText("another long passphrase")
    assert saving.sheet.isChecked()
    saving.sheet.click()
    save(form, tmp_path / "out", qtbot)
    assert page(form) == "send"
    assert list((tmp_path / "out").glob("*.zip")) == []
    assert list((tmp_path / "out").glob("for-you*")) == [], "nothing of it lies there unencrypted"
    (locked,) = (tmp_path / "out").glob("*.zip.age")
    plain = age_files.decrypt(locked.read_bytes(), passphrase="another long passphrase")  # noqa: S106
    assert verify.verify(plain).ok


def test_what_cannot_be_written_is_said_and_can_be_tried_again(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    one_place(form, qtbot)
    assert isinstance(form.widget, SavePage)
    form.widget.how.button(2).click()
    form.widget.key.setText("age1nonsense")
    save(form, tmp_path / "out", qtbot)
    assert page(form) == "save"
    assert "not a key to encrypt to" in form.problem_text.text()
    assert form.next.isEnabled()
    assert isinstance(form.widget, SavePage)
    form.widget.how.button(0).click()
    save(form, tmp_path / "out", qtbot)
    assert page(form) == "send"


def test_a_blurred_picture_goes_in_only_when_it_was_chosen(
    window: MainWindow, tmp_path: Path, engine: FakeEngine, qtbot: QtBot
) -> None:
    ask(window, lambda book: book.add_sighting(1, POST.format(n=9), item_id=2, platform="X"), qtbot)
    form = begin(window, qtbot)
    go_to(form, "where", qtbot)
    assert isinstance(form.widget, WherePage)
    form.widget.none.click()
    tick(form.widget, form.widget.model.rowCount() - 1)
    seen = go_to(form, "image", qtbot)
    assert "include" in seen
    assert form.request.include.image == "none"
    assert isinstance(form.widget, FieldsPage)
    assert form.widget.groups["include.image"].checkedId() == 0
    assert engine.asked == []
    choose(form, "include.image", "blurred")
    go_to(form, "save", qtbot)
    save(form, tmp_path / "out", qtbot)
    assert page(form) == "send", form.problem_text.text()
    assert engine.asked == [("6 bytes", True)]
    (packet,) = (tmp_path / "out").glob("*.zip")
    found = verify.verify(packet.read_bytes())
    assert [n for n in found.names if "image" in n]
    log = [(row.action, row.subject) for row in ask(window, lambda book: list(book.log()), qtbot)]
    assert ("exported", "item 2") in log, "it left the casebook, and the log says so"


# What to do then


def test_each_field_is_copied_by_itself_and_forgotten_at_a_lock(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    go_to(form, "save", qtbot)
    save(form, tmp_path / "out", qtbot)
    sending = form.widget
    assert isinstance(sending, SendPage)
    qtbot.waitUntil(lambda: len(sending.copies) > 3)
    copy = next(b for b in sending.copies if b.accessibleName() == "Copy: Address of the post")
    copy.click()
    assert QGuiApplication.clipboard().text() == POST.format(n=0)
    assert form.problem_text.text() == "Copied: Address of the post"
    packets = {p.stem: p for p in (tmp_path / "out").glob("request-*.zip")}
    sending.part.setCurrentIndex(2)
    name = sending.part.currentText().removeprefix("Report 3 of 3: ")
    assert POST.format(n=2).encode() in packets[name].read_bytes(), "each report is named with its own packet"
    qtbot.waitUntil(lambda: POST.format(n=2) in labels(sending))
    window.case.lock()
    qtbot.waitUntil(lambda: window.cases.state.value == "locked")
    assert QGuiApplication.clipboard().text() == ""


def test_no_text_of_a_field_makes_the_page_wider_than_the_window(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    form = begin(window, qtbot)
    one_place(form, qtbot)
    save(form, tmp_path / "out", qtbot)
    send = form.widget
    assert isinstance(send, SendPage)
    qtbot.waitUntil(lambda: bool(send.copies))
    endless = "a" * 120
    send.show_fields([packet_view.FormText("What happened", f"{endless}\n{'=' * 90}\nIt was seen.")])
    said = labels(send)
    assert "It was seen." in said
    assert "====" not in said
    bar = form.area.horizontalScrollBar()
    QTest.qWait(50)
    assert bar.maximum() == 0
    taken: list[str] = []
    send.copied.connect(taken.append)
    send.copies[0].click()
    assert taken == [f"{endless}\n{'=' * 90}\nIt was seen."], "what is copied is whole"


def sent(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> TrackWindow:
    """A request that was sent, in the list of requests."""
    form = begin(window, qtbot)
    one_place(form, qtbot)
    save(form, tmp_path / "out", qtbot)
    form.leave.click()
    qtbot.waitUntil(lambda: window.case.contents is not None and 1 in window.case.contents.packets)
    qtbot.waitUntil(lambda: entries(window) and entries(window)[0].text(0) == "X\nbeing prepared")
    window.case.show_request(1)
    tracking = wait_for(window, TrackWindow, qtbot)
    qtbot.waitUntil(lambda: tracking.chosen is not None)
    assert tracking.steps.item(0).text().startswith("Send it")
    tracking.sent.click()
    noting = shown(window, SentForm)
    noting.reference.setText("4711")
    noting.save.click()
    qtbot.waitUntil(lambda: tracking.chosen is not None and tracking.chosen.record.state is RequestState.SENT)
    return tracking


def test_a_request_is_sent_received_refused_and_complained_about(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    tracking = sent(window, tmp_path, qtbot)
    assert tracking.chosen is not None
    assert "X should answer by" in tracking.list.item(0).text()
    assert "4711" in tracking.about.toPlainText()
    assert not tracking.sent.isEnabled()
    for button, state in (
        (tracking.received, RequestState.ACKNOWLEDGED),
        (tracking.refused, RequestState.REFUSED),
    ):
        button.click()
        answer = shown(window, AnswerForm)
        assert answer.state.currentData() == state
        answer.outcome.setCurrentText(answer.outcome.currentText() or "Refused")
        answer.save.click()
        qtbot.waitUntil(lambda state=state: tracking.chosen is not None and tracking.chosen.record.state is state)
    steps = [tracking.steps.item(n).text() for n in range(tracking.steps.count())]
    row = next(n for n, text in enumerate(steps) if "Federal Trade Commission" in text)
    tracking.steps.setCurrentRow(row)
    tracking.do.click()
    form = wait_for(window, PacketForm, qtbot)
    settle(form, qtbot)
    assert form.request.platform == "us_ftc"
    assert form.request.earlier.platform == "x"
    assert form.request.earlier.reference == "4711"
    assert form.follows == 1
    assert not form.request.statements.nonconsent, "she states and signs again"
    go_to(form, "way", qtbot)
    assert isinstance(form.widget, WayPage)
    assert form.widget.chosen is not None
    assert form.widget.chosen.platform_id == "us_ftc", "the way stays the one that was wanted"
    go_to(form, "save", qtbot)
    assert form.request.platform == "us_ftc"
    save(form, tmp_path / "complaint", qtbot)
    assert page(form) == "send", form.problem_text.text()
    form.leave.click()
    kept = ask(window, lambda book: book.packet_form(2), qtbot)
    assert kept.follows == 1
    (packet,) = (tmp_path / "complaint").glob("request-*.zip")
    assert "data/letters/complaint.en.pdf" in " ".join(verify.verify(packet.read_bytes()).names)


def test_a_request_that_is_edited_keeps_its_time_to_the_minute(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    tracking = sent(window, tmp_path, qtbot)
    assert tracking.chosen is not None
    before = tracking.chosen.record
    tracking.edit.click()
    form = wait_for(window, RequestForm, qtbot)
    form.reference.setText("4712")
    form.save.click()
    qtbot.waitUntil(lambda: tracking.chosen is not None and tracking.chosen.record.reference == "4712")
    after = tracking.chosen.record
    assert (after.sent_at, after.due_at) == (before.sent_at, before.due_at)
    tracking.edit.click()
    again = wait_for(window, RequestForm, qtbot)
    again.due.date.setDate(again.due.date.date().addDays(1))
    again.save.click()
    qtbot.waitUntil(lambda: tracking.chosen is not None and tracking.chosen.record.due_at != before.due_at)


def test_enter_in_the_list_opens_a_request_and_does_not_close_the_list(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    tracking = sent(window, tmp_path, qtbot)
    tracking.list.setFocus()
    QTest.keyClick(tracking.list, Qt.Key.Key_Return)
    settle(wait_for(window, PacketForm, qtbot), qtbot)
    assert tracking.isVisible()


def test_a_deadline_that_has_passed_says_what_can_be_done(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    tracking = sent(window, tmp_path, qtbot)
    ask(window, lambda book: book.update_request(1, due_at="2026-01-02T12:00:00+00:00"), qtbot)
    window.case.reload()
    qtbot.waitUntil(lambda: "should have answered by" in tracking.list.item(0).text())
    steps = [tracking.steps.item(n).text() for n in range(tracking.steps.count())]
    assert "Federal Trade Commission" in steps[0]
    assert "Check before sending" in steps[0] or "check before" not in steps[0]


def test_what_was_seen_again_is_noted_and_asked_for_again(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    tracking = sent(window, tmp_path, qtbot)
    tracking.again.click()
    sighting = wait_for(window, SightingForm, qtbot)
    sighting.url.setText(POST.format(n=77))
    sighting.save.click()
    form = wait_for(window, PacketForm, qtbot)
    settle(form, qtbot)
    assert [s.url for s in form.request.sightings] == [POST.format(n=77)]
    assert form.request.platform == "x"
    assert form.follows == 1
    assert form.request.gate.age == "adults"
    assert not form.request.signature.kind


def test_a_request_that_was_noted_by_hand_is_listed_and_edited(window: MainWindow, qtbot: QtBot) -> None:
    ask(window, lambda book: book.add_request(1, "A host", state=RequestState.SENT), qtbot)
    window.case.reload()
    window.case.track_requests()
    tracking = wait_for(window, TrackWindow, qtbot)
    qtbot.waitUntil(lambda: tracking.chosen is not None)
    assert not tracking.go_on.isEnabled()
    tracking.edit.click()
    wait_for(window, RequestForm, qtbot).reject()
    steps = [tracking.steps.item(n).text() for n in range(tracking.steps.count())]
    tracking.steps.setCurrentRow(next(n for n, text in enumerate(steps) if "Google" in text))
    tracking.do.click()
    form = wait_for(window, PacketForm, qtbot)
    settle(form, qtbot)
    assert form.request.platform == "google_search"
    assert form.follows == 1


def test_an_empty_list_of_requests_says_so(window: MainWindow, qtbot: QtBot) -> None:
    window.case.track_requests()
    tracking = wait_for(window, TrackWindow, qtbot)
    assert "There is no request yet" in tracking.about.toPlainText()
    assert not any(b.isEnabled() for b in (tracking.do, tracking.go_on, tracking.sent, tracking.edit))


# The facts


def test_the_facts_show_their_source_their_date_and_their_mark(window: MainWindow, qtbot: QtBot) -> None:
    window.case.show_facts()
    facts = wait_for(window, FactsWindow, qtbot)
    qtbot.waitUntil(lambda: bool(facts.sections), timeout=20_000)
    for top in range(2):
        heading = facts.tree.topLevelItem(top)
        assert heading is not None
        assert heading.childCount() > 10
        for n in range(heading.childCount()):
            facts.tree.setCurrentItem(heading.child(n))
            said = facts.about.toPlainText()
            assert "Read on 23 November 2026" in said or "Nobody has verified this" in said, heading.child(n).text(0)
            if heading.child(n).text(0).endswith("check before sending"):
                assert "check before sending" in said


def newer(folder: Path, old: str, new: str) -> Path:
    """A file of one platform, in which something was changed."""
    text = (facts_.RESOURCES / "platforms" / "x.toml").read_text()
    assert old in text
    path = folder / "x.toml"
    path.write_text(text.replace(old, new).replace("verified_on = 2026-11-23", "verified_on = 2026-11-24"))
    return path


def test_newer_facts_are_shown_as_differences_before_they_are_used(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_jobs, "added", lambda: tmp_path / "facts")
    window.case.show_facts()
    facts = wait_for(window, FactsWindow, qtbot)
    qtbot.waitUntil(lambda: bool(facts.sections), timeout=20_000)
    path = newer(tmp_path, "https://help.x.com/forms/", "https://evil.example/forms/")
    facts.bring.click()
    files = shown(window, QFileDialog)
    files.fileSelected.emit(str(path))
    files.close()
    asked = wait_for(window, ImportFacts, qtbot)
    first = asked.list.item(0).text()
    assert first.startswith("Look at this one twice: platforms/x")
    assert "evil.example" in "".join(asked.list.item(n).text() for n in range(asked.list.count()))
    assert not asked.use.isDefault(), "Enter does not take them"
    assert not (tmp_path / "facts").exists()
    assert nameless(asked) == []
    assert unreachable(asked) == []
    asked.use.click()
    qtbot.waitUntil(lambda: not isValid(asked) or not asked.isVisible())
    heading = "Platforms, and others who can be asked"
    qtbot.waitUntil(
        lambda: any(
            "Added by hand on" in str(s) for (h, n), s in facts.sections.items() if h == heading and n[0] == "X"
        ),
        timeout=20_000,
    )
    facts_.load.cache_clear()


def test_facts_that_are_none_are_refused_with_a_sentence(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window.case.show_facts()
    facts = wait_for(window, FactsWindow, qtbot)
    (tmp_path / "x.toml").write_text("name = 1")
    facts.bring.click()
    files = shown(window, QFileDialog)
    files.fileSelected.emit(str(tmp_path / "x.toml"))
    files.close()
    box = wait_for(window, QMessageBox, qtbot)
    assert box.text()
    assert not [d for d in window.findChildren(ImportFacts) if d.isVisible()]
    box.close()


# For everybody


def test_every_page_works_by_keyboard_and_by_ear_and_fits_a_small_screen(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(packet_form, "announce", lambda _widget, text: heard.append(text))
    form = begin(window, qtbot)
    form.resize(1000, 640)
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    seen = 0
    while True:
        name = page(form)
        assert form.focusWidget() is not None
        assert form.widget is not None
        if form.widget.first is not None:
            assert form.focusWidget() is form.widget.first, name
        assert nameless(form) == [], name
        qtbot.waitUntil(lambda: cut(form) == [])
        assert unreachable(form) == [], name
        assert form.page is not None
        assert form.page.title in heard[-1], name
        assert form.minimumSizeHint().width() <= 1000
        seen += 1
        if name == "save":
            break
        fill(form)
        next_page(form, qtbot)
    assert seen == 14
    save(form, tmp_path / "out", qtbot)
    sending = form.widget
    assert isinstance(sending, SendPage)
    qtbot.waitUntil(lambda: len(sending.copies) > 3)
    assert nameless(form) == []
    assert unreachable(form) == []
    form.hide()


def test_from_the_first_question_to_the_packet_by_keys_alone(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    form.folder = str(tmp_path / "out")
    (tmp_path / "out").mkdir()
    while page(form) != "send":
        before = page(form)
        for _ in range(30):
            here = form.focusWidget()
            assert here is not None, f"the focus is lost on {before}"
            if here is form.next:
                break
            unanswered = isinstance(here, QRadioButton) and here.group().checkedButton() is None
            if unanswered or (isinstance(here, QCheckBox) and before == "statements"):
                QTest.keyClick(here, Qt.Key.Key_Space)
            elif isinstance(here, QPlainTextEdit) and before.startswith("text:"):
                QTest.keyClicks(here, SAID)
            elif isinstance(here, QLineEdit) and here.isEnabled() and not here.text() and before in TYPED:
                QTest.keyClicks(here, TYPED[before])
            QTest.keyClick(here, Qt.Key.Key_Tab)
        assert form.focusWidget() is form.next, f"Next is not come to on {before}"
        QTest.keyClick(form.next, Qt.Key.Key_Space)
        qtbot.waitUntil(
            lambda before=before: not form._busy and not form.is_building and page(form) != before, timeout=120_000
        )
    packets = list((tmp_path / "out").glob("request-*.zip"))
    assert packets
    assert all(verify.verify(packet.read_bytes()).ok for packet in packets)
    form.hide()


def test_the_other_windows_work_by_keyboard_and_fit_a_small_screen(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    tracking = sent(window, tmp_path, qtbot)
    window.case.show_facts()
    facts = wait_for(window, FactsWindow, qtbot)
    qtbot.waitUntil(lambda: bool(facts.sections), timeout=20_000)
    difference = Difference("laws/us_tida", "says", "old", "new", False)
    record = ask(window, lambda book: book.request(1), qtbot)
    for dialog in (facts, tracking, SentForm(window, record), ImportFacts(window, "x.toml", [difference])):
        dialog.show()
        dialog.activateWindow()
        qtbot.waitUntil(dialog.isActiveWindow)
        name = type(dialog).__name__
        assert dialog.height() < 640, name
        assert dialog.minimumSizeHint().width() <= 1000, name
        assert nameless(dialog) == [], name
        assert unreachable(dialog) == [], name
        assert cut_off(dialog) == [], name
        dialog.hide()
        dialog.deleteLater()


def test_a_problem_is_heard_too(window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(packet_form, "announce", lambda _widget, text: heard.append(text))
    form = begin(window, qtbot)
    next_page(form, qtbot)
    assert heard[-1] == "Please choose one of the two."


def test_mnemonics_of_a_page_do_not_clash(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    while True:
        marked = [b.text() for b in form.findChildren(QAbstractButton) if b.isVisible() and "&" in b.text()]
        marked += [w.text() for w in form.findChildren(QLabel) if w.isVisible() and w.buddy() and "&" in w.text()]
        letters = sorted(text[text.index("&") + 1].lower() for text in marked)
        assert letters == sorted(set(letters)), (page(form), marked)
        if page(form) == "save":
            break
        fill(form)
        next_page(form, qtbot)


def squeezed(form: PacketForm) -> list[str]:
    """Texts that have less height than their lines need."""
    found = [w for w in form.findChildren(QLabel) if w.isVisible() and w.wordWrap()]
    assert found
    return [w.text() for w in found if w.height() < w.heightForWidth(w.width())]


def test_larger_fonts_fit_a_small_screen(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    before = QApplication.font()
    larger = QApplication.font()
    larger.setPointSizeF(larger.pointSizeF() * 1.5)
    QApplication.setFont(larger)
    try:
        form = begin(window, qtbot)
        form.resize(1000, 640)
        while page(form) != "save":
            qtbot.waitUntil(lambda: cut(form) == [])
            qtbot.waitUntil(lambda: squeezed(form) == [])
            assert form.minimumSizeHint().width() <= 1000
            fill(form)
            next_page(form, qtbot)
        save(form, tmp_path / "out", qtbot)
        assert isinstance(form.widget, SendPage)
        send = form.widget
        qtbot.waitUntil(lambda: bool(send.copies))
        qtbot.waitUntil(lambda: squeezed(form) == [])
        form.hide()
    finally:
        QApplication.setFont(before)


def test_the_texts_of_the_form_can_be_translated(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    go_to(form, "way", qtbot)
    form.leave.click()
    qtbot.waitUntil(lambda: not isValid(form) or not form.isVisible())
    qtbot.waitUntil(lambda: bool(entries(window)))
    words.use_translator(lambda _context, text: f"⟦{text}⟧")
    try:
        window.case.show_request(1)
        again = wait_for(window, PacketForm, qtbot)
        settle(again, qtbot)
        checked = 0
        for name in [p.id for p in again.pages]:
            again.go(name)
            settle(again, qtbot)
            said = [b.text() for b in again.findChildren(QAbstractButton) if b.text() and b.isVisible()]
            said += [again.title.text(), again.why.text(), again.windowTitle()]
            said += [w.text() for w in again.findChildren(QLabel) if w.buddy() is not None]
            assert [t for t in said if t and "⟦" not in t] == [], name
            checked += len(said)
        assert checked > 40
        again.leave.click()
    finally:
        words.use_translator(None)


def test_what_is_too_long_is_not_taken_and_that_is_said(window: MainWindow, qtbot: QtBot) -> None:
    form = begin(window, qtbot)
    go_to(form, "text:relevant_information", qtbot)
    text = form.widget.findChild(QPlainTextEdit) if form.widget else None
    assert text is not None
    text.setPlainText("a" * 19_990)
    cursor = text.textCursor()
    cursor.setPosition(5)
    cursor.insertText("b" * 20)
    assert len(text.toPlainText()) == 20_000
    assert text.toPlainText().startswith("aaaaa" + "b" * 10 + "aaa")
    assert "20,000 characters fit" in form.problem_text.text()
    assert next_page(form, qtbot) == "statements"


# Apart from it


def test_the_window_starts_without_anything_of_packets() -> None:
    code = (
        "import sys; from desktop.window import app, main_window, case_desk; "
        "late = ('desktop.packets', 'desktop.window.packet_desk', 'desktop.window.packet_form', 'typst', 'pyrage'); "
        "found = [m for m in sys.modules if m.startswith(late)]; print(found); sys.exit(bool(found))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_window_is_made_without_anything_of_packets(make_window: MakeWindow) -> None:
    assert make_window().case.packets is None
