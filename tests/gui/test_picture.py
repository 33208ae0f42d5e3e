"""Blurred, grey and small until held; blurred again whatever ends the press."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFocusEvent, QHideEvent, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.window.main_window import MainWindow
from desktop.window.picture_view import SMALL, ClearSheet, PictureView, draw_overlay
from desktop.window.reveal import Stage
from detectors.errors import FileUnreadable
from detectors.finding import Overlay
from tests.gui.access import colours
from tests.gui.conftest import MakeWindow
from tests.gui.fakes import FakeEngine

CLEAR = (0x20, 0xC0, 0x40)


@pytest.fixture
def picture(window: MainWindow, qtbot: QtBot) -> PictureView:
    """The picture of the first of some scanned files, blurred and with the keyboard's focus."""
    window.add(["in/*8"])
    qtbot.waitUntil(lambda: not window.session.busy)
    view = window.detail.picture
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    qtbot.waitUntil(lambda: view.reveal.blurred is not None)
    return view


def sheet(view: PictureView) -> ClearSheet:
    found = view.parentWidget().findChild(ClearSheet)
    assert found is not None
    return found


def shows_clear(view: PictureView) -> bool:
    """Whether any pixel of the window has the clear picture's colour."""
    return CLEAR in colours(view.window())


def hold(view: PictureView, qtbot: QtBot) -> None:
    QTest.keyPress(view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: view.reveal.stage is Stage.CLEAR)
    assert shows_clear(view)


def test_blurred_grey_and_small_at_first(picture: PictureView, engine: FakeEngine) -> None:
    assert engine.asked
    assert all(blurred for _, blurred in engine.asked)
    assert picture.reveal.blurred is not None
    assert max(picture.reveal.blurred.width, picture.reveal.blurred.height) <= SMALL
    assert not shows_clear(picture)
    assert not sheet(picture).holds_pixels


def test_colour_from_the_engine_is_still_drawn_grey(picture: PictureView, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.blurred_pixel = b"\x20\xc0\x40"
    picture.window().view.setCurrentIndex(picture.window().model.index(3, 0))
    qtbot.waitUntil(lambda: picture.reveal.blurred is not None)
    picture.window().view.setFocus()  # the focus frame has a colour
    assert any(r == g == b for r, g, b in colours(picture))
    assert all(max(colour) - min(colour) < 4 for colour in colours(picture))


def test_the_veil_hides_detail_that_the_engine_left_in(picture: PictureView, engine: FakeEngine, qtbot: QtBot) -> None:
    """A sharp edge every second pixel is gone: what is drawn changes slowly from left to right."""
    engine.blurred_pixel = b"\x00\x00\x00\xff\xff\xff"
    picture.window().view.setCurrentIndex(picture.window().model.index(3, 0))
    qtbot.waitUntil(lambda: picture.reveal.blurred is not None)
    image = picture.grab().toImage()
    greys = [image.pixelColor(x, 30).red() for x in range(50, 130)]
    assert max(greys) - min(greys) < 30


def release_key(view: PictureView) -> None:
    QTest.keyRelease(view, Qt.Key.Key_Space)


def lose_focus(view: PictureView) -> None:
    view.window().top.text.setFocus()


def lose_focus_event(view: PictureView) -> None:
    QApplication.sendEvent(view, QFocusEvent(QEvent.Type.FocusOut))


def hide_event(view: PictureView) -> None:
    QApplication.sendEvent(view, QHideEvent())


def deactivate_event(view: PictureView) -> None:
    QApplication.sendEvent(view.window(), QEvent(QEvent.Type.WindowDeactivate))


def other_row(view: PictureView) -> None:
    view.window().view.setCurrentIndex(view.window().model.index(5, 0))


def hide_window(view: PictureView) -> None:
    view.window().hide()


def escape(view: PictureView) -> None:
    QTest.keyClick(view, Qt.Key.Key_Escape)


def hide_pictures(view: PictureView) -> None:
    view.window().hide_pictures.trigger()


def other_window(view: PictureView) -> None:
    other = QWidget()
    other.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    other.show()
    other.activateWindow()
    QTest.qWait(100)
    other.close()


ENDS = [
    release_key,
    hide_event,
    deactivate_event,
    lose_focus,
    lose_focus_event,
    other_row,
    hide_window,
    escape,
    hide_pictures,
    other_window,
]


@pytest.mark.parametrize("end", ENDS)
def test_whatever_ends_the_press_blurs_at_once(
    picture: PictureView, qtbot: QtBot, end: Callable[[PictureView], None]
) -> None:
    hold(picture, qtbot)
    end(picture)
    assert picture.reveal.stage is Stage.BLURRED
    assert picture.reveal.clear is None
    assert not sheet(picture).holds_pixels
    assert not shows_clear(picture)


def test_held_with_the_mouse(picture: PictureView, qtbot: QtBot) -> None:
    QTest.mousePress(picture, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    qtbot.waitUntil(lambda: picture.reveal.stage is Stage.CLEAR)
    assert shows_clear(picture)
    QTest.mouseRelease(picture, Qt.MouseButton.LeftButton, pos=QPoint(500, 500))
    assert not shows_clear(picture)
    assert not sheet(picture).holds_pixels


def test_the_other_buttons_show_nothing(picture: PictureView, engine: FakeEngine) -> None:
    QTest.mousePress(picture, Qt.MouseButton.RightButton)
    QTest.mouseRelease(picture, Qt.MouseButton.RightButton)
    QTest.keyClick(picture, Qt.Key.Key_Return)
    QTest.qWait(50)
    assert all(blurred for _, blurred in engine.asked)


def test_a_late_picture_is_thrown_away(picture: PictureView, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.preview_gate.clear()
    QTest.keyPress(picture, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not all(blurred for _, blurred in engine.asked))
    QTest.keyRelease(picture, Qt.Key.Key_Space)
    engine.preview_gate.set()
    QTest.qWait(150)
    assert picture.reveal.clear is None
    assert not sheet(picture).holds_pixels
    assert not shows_clear(picture)


def test_regions_are_drawn_over_the_clear_picture(picture: PictureView, qtbot: QtBot) -> None:
    hold(picture, qtbot)
    seen = colours(sheet(picture))
    assert (255, 255, 255) in seen
    assert (0, 0, 0) in seen


def test_no_region_is_drawn_over_the_blurred_picture(picture: PictureView, qtbot: QtBot) -> None:
    """An outline of a body part would tell what the blur hides."""

    def blurred() -> QImage:
        return picture.grab(QRect(8, 8, SMALL, SMALL)).toImage()

    with_regions = blurred()
    hold(picture, qtbot)
    release_key(picture)
    assert blurred() == with_regions, "and none is left over from holding it"
    path = next(iter(picture.window().model.table.rows)).path
    picture.show_picture(path, (800, 600), ())
    qtbot.waitUntil(lambda: picture.reveal.blurred is not None)
    assert blurred() == with_regions


def test_hidden_altogether_asks_for_no_pixels(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window.hide_pictures.trigger()
    window.add(["in/*3"])
    qtbot.waitUntil(lambda: not window.session.busy)
    QTest.keyPress(window.detail.picture, Qt.Key.Key_Space)
    QTest.qWait(100)
    assert engine.asked == []
    QTest.keyRelease(window.detail.picture, Qt.Key.Key_Space)
    window.hide_pictures.trigger()
    qtbot.waitUntil(lambda: engine.asked != [])
    assert all(blurred for _, blurred in engine.asked)


def test_a_picture_that_cannot_be_shown_says_why(picture: PictureView, engine: FakeEngine, qtbot: QtBot) -> None:
    engine.preview_error = FileUnreadable("gone", "The file is no longer there.", "Look for it.")
    QTest.keyPress(picture, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: picture.reveal.problem != "")
    assert picture.reveal.problem == "The file is no longer there."
    assert picture.reveal.stage is Stage.BLURRED
    QTest.keyRelease(picture, Qt.Key.Key_Space)


def test_leaving_while_holding(make_window: MakeWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window = make_window()
    window.add(["in/*3"])
    qtbot.waitUntil(lambda: not window.session.busy)
    window.detail.picture.setFocus()
    engine.preview_gate.clear()
    QTest.keyPress(window.detail.picture, Qt.Key.Key_Space)
    window.leave()
    assert window.detail.picture.reveal.stage is Stage.BLURRED
    assert not sheet(window.detail.picture).holds_pixels


@pytest.fixture
def mapped(window: MainWindow, qtbot: QtBot) -> PictureView:
    """A picture with a map over its left half."""
    window.add(["in/several.jpg"])
    qtbot.waitUntil(lambda: not window.session.busy)
    view = window.detail.picture
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    return view


def left_and_right(view: PictureView) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A colour from either side of the clear picture, near its lower edge, where no outline is."""
    image = sheet(view).grab().toImage()
    y = image.height() // 2 + image.width() // 4
    found = (image.pixelColor(x, y) for x in (image.width() // 10, image.width() * 9 // 10))
    left, right = ((c.red(), c.green(), c.blue()) for c in found)
    return left, right


def test_the_map_is_a_layer_that_can_be_switched_off(mapped: PictureView, qtbot: QtBot) -> None:
    switch = mapped.window().detail.maps
    assert switch.isVisible()
    assert switch.text()
    assert switch.accessibleDescription()
    hold(mapped, qtbot)
    left, right = left_and_right(mapped)
    assert right == CLEAR
    assert left != CLEAR
    assert left[2] > left[1], "violet over green"
    switch.setChecked(False)
    assert left_and_right(mapped) == (CLEAR, CLEAR)
    release_key(mapped)


def test_the_switch_works_by_keyboard_and_holds_for_the_next_look(mapped: PictureView, qtbot: QtBot) -> None:
    switch = mapped.window().detail.maps
    switch.setFocus()
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert not switch.isChecked()
    mapped.setFocus()
    hold(mapped, qtbot)
    assert left_and_right(mapped) == (CLEAR, CLEAR)
    release_key(mapped)


def test_a_map_that_reaches_beyond_the_picture_covers_nothing_beside_it(qapp: QApplication) -> None:
    canvas = QImage(60, 40, QImage.Format.Format_RGB32)
    canvas.fill(Qt.GlobalColor.white)
    painter = QPainter(canvas)
    try:
        draw_overlay(
            painter, QRectF(10, 10, 40, 20), QSize(400, 200), Overlay(2, 3, bytes([255] * 6), (0, 0, 480, 320))
        )
    finally:
        painter.end()
    white = canvas.pixelColor(0, 0)
    assert canvas.pixelColor(49, 29) != white
    outside = [canvas.pixelColor(x, y) for x in range(60) for y in range(40) if not (10 <= x < 50 and 10 <= y < 30)]
    assert all(c == white for c in outside)


def test_without_a_map_there_is_no_switch(picture: PictureView) -> None:
    assert not picture.window().detail.maps.isVisible()


def test_no_map_is_drawn_over_the_blurred_picture(mapped: PictureView, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: mapped.reveal.blurred is not None)
    mapped.window().view.setFocus()
    assert all(max(colour) - min(colour) < 4 for colour in colours(mapped))
