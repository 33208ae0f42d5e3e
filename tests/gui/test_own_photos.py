"""The person's own photos in the window: chosen, read after the question about age, looked for, remembered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog, QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from desktop.window.dialogs import AgeQuestion
from desktop.window.main_window import MainWindow
from desktop.window.own_photos import OwnPhotosDialog
from detectors.errors import SetupError
from detectors.finding import Profile
from detectors.verdict import Band
from tests.gui.access import cut_off, nameless, unreachable
from tests.gui.conftest import MakeWindow
from tests.gui.fakes import FakeEngine, FakeStore
from tests.gui.test_app import real_window  # noqa: F401 - a fixture
from tests.gui.test_casebook_window import PATH, closed, opened, shown, store  # noqa: F401 - fixtures


def choose_folder(window: MainWindow, path: str) -> OwnPhotosDialog:
    """Opens the dialog, and chooses a folder in it."""
    window._own_photos()
    dialog = shown(window, OwnPhotosDialog)
    dialog.folder.click()
    files = shown(window, QFileDialog)
    files.filesSelected.emit([path])
    files.close()
    return dialog


def read(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.own.reading and not window.session.busy, timeout=60_000)


def test_a_folder_is_read_said_and_taken_away(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    assert not window.bottom.photos.isVisible()
    assert not window.look_all.isEnabled()
    dialog = choose_folder(window, "/her/photos")
    read(window, qtbot)
    assert engine.references == ("/her/photos",)
    assert dialog.state.text() == "2 photos from /her/photos. One file there cannot be used:"
    assert dialog.problems.item(0).text() == "bad.jpg: The file ends too early. Download it again."
    assert not dialog.look.isVisible(), "nothing was checked yet"
    assert not dialog.remember.isVisible(), "no casebook is open"
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    assert nameless(dialog) == []
    assert unreachable(dialog) == []
    assert cut_off(dialog) == []
    dialog.close()
    window.add(["in/*3"])
    read(window, qtbot)
    assert window.bottom.photos.isVisible()
    assert window.bottom.photos.text() == "Each check also looks for the source photo among 2 photos."
    window._own_photos()
    dialog = shown(window, OwnPhotosDialog)
    dialog.away.click()
    read(window, qtbot)
    assert engine.references == ()
    assert dialog.state.text() == "No photos are chosen."
    assert not window.bottom.photos.isVisible()


def test_files_already_checked_are_checked_again_as_thoroughly_as_before(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window.add(["a.jpg", "b.jpg"])
    read(window, qtbot)
    window._check_thoroughly("b.jpg")
    read(window, qtbot)
    dialog = choose_folder(window, "/her/photos")
    read(window, qtbot)
    engine.scanned_paths.clear()
    engine.profiles.clear()
    dialog.look.click()
    read(window, qtbot)
    assert sorted(engine.scanned_paths) == ["a.jpg", "b.jpg"]
    assert Profile.THOROUGH in engine.profiles
    window.view.selectRow(1)
    engine.scanned_paths.clear()
    window.look.trigger()
    read(window, qtbot)
    assert engine.scanned_paths == ["b.jpg"]


def test_photos_are_not_opened_before_the_question_is_answered(
    make_window: MakeWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    window = make_window(adults=False)
    for answer in (1, 0):
        choose_folder(window, "/her/photos").close()
        question = shown(window, AgeQuestion)
        assert not window.own.reading
        question.findChildren(QPushButton)[answer].click()
        if answer == 1:
            for dialog in window.findChildren(QDialog):
                dialog.close()
            assert engine.references == ()
            assert not window.session.busy
    read(window, qtbot)
    assert engine.references == ("/her/photos",)


def test_what_cannot_be_read_or_is_stopped_changes_nothing(
    window: MainWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    choose_folder(window, "/her/photos").close()
    read(window, qtbot)
    before = window.own.photos
    engine.references_error = SetupError("no_references", "None of these can be used.", "Choose another folder.")
    dialog = choose_folder(window, "/other")
    read(window, qtbot)
    assert dialog.state.text().startswith("None of these can be used. Choose another folder.\n\n2 photos from /her")
    assert window.own.photos == before
    engine.references_error = None
    engine.gate.clear()
    window.own.use(["/third"])
    assert "being read" in dialog.state.text()
    assert not dialog.folder.isEnabled()
    qtbot.waitUntil(lambda: window.cancel.isEnabled())
    window.cancel.trigger()
    read(window, qtbot)
    assert window.own.photos == before
    assert dialog.folder.isEnabled()
    engine.gate.set()


def test_a_casebook_offers_its_photos_and_remembers_new_ones(
    opened: MainWindow,  # noqa: F811
    store: FakeStore,  # noqa: F811
    engine: FakeEngine,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    photo = tmp_path / "press.jpg"
    photo.write_bytes(b"a photo")
    book = store.books[PATH]
    incident = book.incidents()[0]
    book.add_reference(incident.id, str(photo))
    book.add_reference(incident.id, str(tmp_path / "gone.jpg"))
    opened._own_photos()
    dialog = shown(opened, OwnPhotosDialog)
    qtbot.waitUntil(dialog.from_case.isVisible)
    assert "(1 photo)" in dialog.from_case.text()
    dialog.from_case.click()
    read(opened, qtbot)
    assert engine.references == (str(photo),)
    assert "from the casebook" in dialog.state.text()
    assert not dialog.remember.isVisible(), "they are in it already"
    opened.own.use(["/her/photos"])
    read(opened, qtbot)
    dialog.remember.click()
    qtbot.waitUntil(lambda: len(book.references(incident.id)) == 4)
    qtbot.waitUntil(lambda: dialog.state.text().startswith("2 of them are new in the casebook."))
    dialog.remember.click()
    opened.own.use([str(photo)], from_case=True)
    read(opened, qtbot)
    opened.case.lock()
    qtbot.waitUntil(lambda: engine.references == ())
    read(opened, qtbot)
    assert opened.own.photos.used == (), "what the casebook named leaves with it"


def test_the_real_engine_finds_the_source_of_a_file_already_checked(
    request: pytest.FixtureRequest, demo: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    window: MainWindow = request.getfixturevalue("real_window")
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(demo / "10-photo-source.jpg", folder / "2025-05-03 press.jpg")
    shutil.copy(demo / "14-cut-short.jpg", folder)
    window.add([str(demo / "11-photo-edited.jpg")])
    read(window, qtbot)
    assert window.model.table.rows[0].band is not Band.MATCHED_SOURCE
    dialog = choose_folder(window, str(folder))
    read(window, qtbot)
    assert dialog.state.text().startswith("1 photo from ")
    assert "14-cut-short.jpg: " in dialog.problems.item(0).text()
    dialog.look.click()
    read(window, qtbot)
    assert window.model.table.rows[0].band is Band.MATCHED_SOURCE
    assert "your photo “2025-05-03 press.jpg” of 3 May 2025" in window.detail.words.toPlainText()
