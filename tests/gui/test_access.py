"""Keyboard, screen readers, small screens, large fonts, right to left, palettes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor, QPalette
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.window.dialogs import AgeQuestion, Meanings, Shortcuts, WhereToTurn, shortcuts
from desktop.window.main_window import MainWindow
from tests.gui.access import colours, cut_off, nameless, unreachable


@pytest.fixture
def filled(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """A window with results, active, at the size of a small laptop."""
    window.resize(1000, 640)
    window.add(["in/*30"])
    qtbot.waitUntil(lambda: not window.session.busy)
    qtbot.waitUntil(window.isActiveWindow)
    return window


@pytest.fixture
def look(qapp: QApplication) -> Iterator[QApplication]:
    """The application, whose font, palette and direction are put back afterwards."""
    font, palette, direction = qapp.font(), qapp.palette(), qapp.layoutDirection()
    yield qapp
    qapp.setFont(font)
    qapp.setPalette(palette)
    qapp.setLayoutDirection(direction)


def test_every_control_has_a_name(filled: MainWindow) -> None:
    assert nameless(filled) == []


def test_tab_reaches_every_control(filled: MainWindow) -> None:
    assert unreachable(filled) == []


def test_tab_reaches_every_control_of_the_empty_window(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(window.isActiveWindow)
    assert unreachable(window) == []
    assert nameless(window) == []


def test_the_checks_see_planted_faults(qtbot: QtBot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    layout = QHBoxLayout(page)
    layout.addWidget(QLineEdit(page))
    layout.addWidget(QPushButton("named", page))
    trap = QPushButton("a trap", page)
    trap.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    layout.addWidget(trap)
    page.show()
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    assert nameless(page) == ["QLineEdit "]
    assert unreachable(page) == []
    trap.keyPressEvent = lambda event: event.accept()  # type: ignore[method-assign]
    trap.focusNextPrevChild = lambda _next: True  # type: ignore[method-assign]
    trap.setFocus()
    assert unreachable(page) != []
    trap.setMaximumWidth(5)
    layout.activate()
    assert "cut: a trap" in cut_off(page)


@pytest.mark.parametrize("size", [(1000, 640), (1366, 768)])
@pytest.mark.parametrize("direction", [Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft])
def test_nothing_is_cut_off(
    filled: MainWindow, look: QApplication, size: tuple[int, int], direction: Qt.LayoutDirection, qtbot: QtBot
) -> None:
    look.setLayoutDirection(direction)
    filled.resize(*size)
    qtbot.waitUntil(lambda: (filled.width(), filled.height()) == size)
    assert cut_off(filled) == []
    assert filled.view.columnWidth(0) >= 100
    assert not filled.view.horizontalScrollBar().isVisible()


def test_larger_fonts_still_fit_the_smallest_screen(window: MainWindow, look: QApplication, qtbot: QtBot) -> None:
    font = look.font()
    font.setPointSizeF(font.pointSizeF() * 1.5)
    look.setFont(font)
    window.add(["in/*5"])
    qtbot.waitUntil(lambda: not window.session.busy)
    window.resize(1000, 640)
    assert window.minimumSizeHint().width() <= 1000
    assert window.minimumSizeHint().height() <= 640
    assert cut_off(window) == []


def test_colours_come_from_the_palette(filled: MainWindow, look: QApplication, qtbot: QtBot) -> None:
    palette = QPalette(look.palette())
    for role, colour in ((QPalette.ColorRole.Window, "#000000"), (QPalette.ColorRole.Base, "#000000")):
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(role, QColor("#ffff00"))
    look.setPalette(palette)
    qtbot.waitUntil(lambda: (255, 255, 0) in colours(filled))
    assert (0, 0, 0) in colours(filled)
    assert all(w.styleSheet() == "" for w in filled.findChildren(QWidget))


def test_focus_is_visible_on_the_picture(filled: MainWindow, qtbot: QtBot) -> None:
    picture = filled.detail.picture
    filled.top.text.setFocus()
    without = picture.grab().toImage()
    picture.setFocus()
    qtbot.waitUntil(picture.hasFocus)
    assert picture.grab().toImage() != without


def test_a_row_is_one_sentence_for_a_screen_reader(filled: MainWindow) -> None:
    said = filled.model.index(2, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert said == "picture 00002.jpg, Checked, Verdict: Likely synthetic, Intimacy: Explicit"


def test_shortcuts_are_listed_and_unique(window: MainWindow) -> None:
    listed = shortcuts(window.findChildren(QAction))
    keys = [k for k, _ in listed]
    assert len(keys) == len(set(keys))
    assert {"Ctrl+O", "Ctrl+Q", "F1", "Esc twice", "Hold Space"} <= set(keys)
    assert all(name for _, name in listed)


def test_mnemonics_do_not_clash(window: MainWindow, filled: MainWindow) -> None:
    buttons = [b for b in filled.findChildren(QPushButton) if b.isVisible()]
    menus = filled.menuBar().actions()
    marked = [w.text() for w in [*buttons, *menus] if "&" in w.text()]
    letters = [text[text.index("&") + 1].lower() for text in marked]
    assert len(marked) >= 10
    letters.append("s")  # the label of the verdict filter
    assert sorted(letters) == sorted(set(letters))


def test_dialogs_can_be_read_and_closed_with_the_keyboard(window: MainWindow, qtbot: QtBot) -> None:
    for dialog in (AgeQuestion(window), WhereToTurn(window), Meanings(window), Shortcuts(window, [])):
        dialog.show()
        dialog.activateWindow()
        qtbot.waitUntil(dialog.isActiveWindow)
        assert dialog.height() < 600
        assert [c for c in cut_off(dialog) if "Label" not in c] == []
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
        assert not dialog.isVisible()
        dialog.deleteLater()
