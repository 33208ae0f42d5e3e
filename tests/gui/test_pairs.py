"""Look-alikes in the window: the pair and its slider, blurred until held; "not a match" remembered and taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QFocusEvent, QHideEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.window.look_alikes import LookAlikes, Pair, Picture, compare, distance_words, how_words
from desktop.window.main_window import MainWindow
from desktop.window.pair_view import PairWindow, turned
from desktop.window.picture_view import PictureView
from desktop.window.reveal import Request
from detectors.finding import Region
from detectors.fingerprints.search import VARIANTS
from detectors.fingerprints.views import views
from detectors.report import Fingerprinted, Hashes, View
from tests.gui.access import colours, cut_off, nameless, unreachable
from tests.gui.fakes import FakeEngine, FakeInput, FakePixels

FIRST, SECOND = (0xC0, 0x20, 0x20), (0x20, 0x20, 0xC0)
TRANSPOSE = Image.Transpose


def picture(key: str | int, *, shown: bool = True) -> Picture:
    hashes = Hashes(str(key).encode().hex().ljust(64, "0"), "", "f0" * 32, 97)
    return Picture(key, f"{key}.jpg", hashes, (View("whole", (0, 0, 80, 60), "f0" * 32, 97),), (80, 60), shown)


def pair(distance: int = 18, variant: str = "as_it_is", **changes: View) -> Pair:
    a, b = picture("a"), picture("b")
    parts = {"view_a": a.views[0], "view_b": b.views[0], **changes}
    return Pair(a, b, distance, parts["view_a"], parts["view_b"], variant, same_bytes=False)


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot) -> PairWindow:
    """A look-alike window with a pair whose pictures come at once, in one colour each."""
    made = PairWindow(window, remembered="Remembered.")
    asked: list[Request] = []

    def answer(request: Request, longest: int) -> None:
        asked.append(request)
        colour = bytes(FIRST if request.source == "a" else SECOND)
        made.pictures.arrived(request, FakePixels(80, 60, colour * (80 * 60)))

    made.pictures.wanted.connect(answer, Qt.ConnectionType.QueuedConnection)
    made.asked = asked  # type: ignore[attr-defined]
    window._open(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.show_found(LookAlikes(groups=(alike(pair()),), compared=2))
    qtbot.waitUntil(lambda: all(i is not None for i in made.pictures._blurred))
    made.pictures.setFocus()
    return made


def alike(*pairs: Pair) -> object:
    from desktop.window.look_alikes import Alike

    return Alike((pairs[0].a, *(p.b for p in pairs)), pairs)


def hold(dialog: PairWindow, qtbot: QtBot) -> None:
    QTest.keyPress(dialog.pictures, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: all(i is not None for i in dialog.pictures._clear))
    assert {FIRST, SECOND} <= colours(dialog)


def clear(dialog: PairWindow) -> bool:
    return bool({FIRST, SECOND} & colours(dialog))


def test_both_are_blurred_and_grey_at_first(dialog: PairWindow) -> None:
    assert all(request.blurred for request in dialog.asked)  # type: ignore[attr-defined]
    dialog.tree.setFocus()
    assert not clear(dialog)
    assert all(max(c) - min(c) < 4 for c in colours(dialog.pictures))
    assert not dialog.pictures.holds_pixels


def release(dialog: PairWindow) -> None:
    QTest.keyRelease(dialog.pictures, Qt.Key.Key_Space)


def lose_focus(dialog: PairWindow) -> None:
    QApplication.sendEvent(dialog.pictures, QFocusEvent(QEvent.Type.FocusOut))


def hide(dialog: PairWindow) -> None:
    QApplication.sendEvent(dialog.pictures, QHideEvent())


def deactivate(dialog: PairWindow) -> None:
    QApplication.sendEvent(dialog.pictures, QEvent(QEvent.Type.WindowDeactivate))


def another(dialog: PairWindow) -> None:
    dialog.pictures.show_pair(pair())


def nothing(dialog: PairWindow) -> None:
    dialog.clear()


@pytest.mark.parametrize("end", [release, lose_focus, hide, deactivate, another, nothing])
def test_whatever_ends_the_press_blurs_both_at_once(
    dialog: PairWindow, qtbot: QtBot, end: Callable[[PairWindow], None]
) -> None:
    hold(dialog, qtbot)
    end(dialog)
    assert not dialog.pictures.holds_pixels
    assert not clear(dialog)


def test_held_with_the_mouse_which_moves_the_line(dialog: PairWindow, qtbot: QtBot) -> None:
    pictures = dialog.pictures
    place = pictures._places()[2].toRect()
    QTest.mousePress(pictures, Qt.MouseButton.LeftButton, pos=place.center())
    qtbot.waitUntil(lambda: all(i is not None for i in pictures._clear))
    QTest.mouseMove(pictures, QPoint(place.left() + place.width() // 5, place.center().y()))
    qtbot.waitUntil(lambda: 15 <= dialog.slider.value() <= 25)
    QTest.mouseRelease(pictures, Qt.MouseButton.LeftButton)
    assert not clear(dialog)


def test_the_slider_wipes_from_one_to_the_other(dialog: PairWindow, qtbot: QtBot) -> None:
    hold(dialog, qtbot)
    place = dialog.pictures._places()[2].toRect()

    def split() -> tuple[QColor, QColor]:
        image = dialog.pictures.grab().toImage()
        y = place.center().y()
        return image.pixelColor(place.left() + 30, y), image.pixelColor(place.right() - 30, y)

    first, second = QColor(*FIRST), QColor(*SECOND)
    assert split() == (first, second)
    for _ in range(20):
        QTest.keyClick(dialog.pictures, Qt.Key.Key_Right)
    assert dialog.slider.value() == 100
    assert split() == (first, first)
    dialog.slider.setValue(0)
    assert split() == (second, second)
    release(dialog)


def test_an_item_without_an_image_says_so_and_is_not_asked_for(dialog: PairWindow, qtbot: QtBot) -> None:
    before = len(dialog.asked)  # type: ignore[attr-defined]
    mine = pair()
    gone = Pair(picture(7, shown=False), mine.b, 3, mine.view_a, mine.view_b, "as_it_is", same_bytes=False)
    dialog.show_found(LookAlikes(groups=(alike(gone),), compared=2))
    qtbot.waitUntil(lambda: dialog.pictures._blurred[1] is not None)
    assert [r.source for r in dialog.asked[before:]] == ["b"]  # type: ignore[attr-defined]
    assert dialog.pictures._why_none(0) == "No image of this item is kept."


def test_hidden_altogether_asks_for_nothing(dialog: PairWindow) -> None:
    before = len(dialog.asked)  # type: ignore[attr-defined]
    dialog.pictures.hidden_altogether = True
    dialog.pictures.show_pair(pair())
    QTest.keyPress(dialog.pictures, Qt.Key.Key_Space)
    QTest.qWait(30)
    assert len(dialog.asked) == before  # type: ignore[attr-defined]


def test_the_distance_and_the_views_are_said_in_words(dialog: PairWindow) -> None:
    assert dialog.words.text() == "18 of 256 bits differ; up to 31 counts as a match. The whole pictures match."
    assert distance_words(pair(1)) == "1 of 256 bits differs; up to 31 counts as a match."
    cropped = View("region", (10, 10, 20, 20), "f0" * 32, 80)
    assert how_words(pair(view_a=cropped, variant="mirrored")) == (
        "One is a mirror image of the other. Of “a.jpg”, a part matches: the other one may be cut from it."
    )
    assert how_words(pair(view_a=cropped, view_b=cropped)) == "A part of the one matches a part of the other."
    trimmed = View("trimmed", (10, 10, 20, 20), "f0" * 32, 80)
    assert "without its border or caption" in how_words(pair(view_b=trimmed))


def test_it_works_by_keyboard_and_fits_a_small_screen(dialog: PairWindow) -> None:
    assert nameless(dialog) == []
    assert unreachable(dialog) == []
    dialog.resize(760, 480)
    QApplication.processEvents()
    assert cut_off(dialog) == []


def qimage(rgb: np.ndarray) -> QImage:
    height, width, _ = rgb.shape
    return QImage(rgb.tobytes(), width, height, width * 3, QImage.Format.Format_RGB888).copy()


@pytest.mark.parametrize("turn", [None, *TRANSPOSE])
def test_the_first_is_laid_as_the_second_lies(turn: TRANSPOSE | None) -> None:
    """For every way to turn a picture: what the matching calls it, and what `turned` then does, gives the second."""
    noise = np.random.default_rng(3).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    base = Image.fromarray(noise).resize((480, 360), Image.Resampling.BICUBIC)
    other = base if turn is None else base.transpose(turn)
    pictures = [
        Picture(name, name, Hashes(digit * 64, digit * 32, v[0].pdq, v[0].quality), v, None, True)
        for name, digit, v in (("a", "1", views(np.asarray(base))), ("b", "2", views(np.asarray(other))))
    ]
    (group,) = compare(pictures, ()).groups
    (found,) = group.pairs
    laid = (base, other) if found.a.key == "a" else (other, base)
    first = turned(qimage(np.asarray(laid[0])), found.variant)
    assert found.variant in VARIANTS
    assert first == qimage(np.asarray(laid[1]))


def test_marking_in_the_list_is_remembered_and_taken_back(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window.add(["x.jpg", "y.jpg", "z other.jpg"])
    qtbot.waitUntil(lambda: not window.session.busy)
    window.group.trigger()
    (pairs,) = [w for w in window.findChildren(PairWindow) if w.isVisible()]
    qtbot.waitUntil(lambda: pairs.count.text().startswith("3 pictures were compared. Groups of look-alikes: 1."))
    qtbot.waitUntil(lambda: all(i is not None for i in pairs.pictures._blurred))
    assert pairs.mark.text() == "&Not a match"
    pairs.mark.click()
    qtbot.waitUntil(lambda: "No two look alike." in pairs.count.text())
    assert pairs.mark.text() == "It &is a match after all"
    pairs.close()
    qtbot.waitUntil(lambda: not window.session.busy)
    window.group.trigger()
    (again,) = [w for w in window.findChildren(PairWindow) if w.isVisible()]
    qtbot.waitUntil(lambda: "No two look alike." in again.count.text())
    again.mark.click()
    qtbot.waitUntil(lambda: "Groups of look-alikes: 1." in again.count.text())
    again.close()
    qtbot.waitUntil(lambda: not window.session.busy)


def test_closing_the_window_stops_the_comparison(window: MainWindow, engine: FakeEngine, qtbot: QtBot) -> None:
    window.add(["in/*40"])
    qtbot.waitUntil(lambda: not window.session.busy)
    begun: list[str] = []

    def slow(inputs: Iterable[FakeInput], cancel: threading.Event, pause: threading.Event) -> Iterator[Fingerprinted]:
        for item in inputs:
            if cancel.wait(0.02):
                return
            begun.append(item.path)
            yield engine.fingerprint(item.path)

    engine.fingerprints = slow  # type: ignore[method-assign]
    window.group.trigger()
    (pairs,) = [w for w in window.findChildren(PairWindow) if w.isVisible()]
    qtbot.waitUntil(lambda: "Comparing: 20 of " in pairs.count.text())
    pairs.close()
    qtbot.waitUntil(lambda: not window.session.busy)
    assert len(begun) < 35, "the rest was not opened"
    assert window.model.table.counts().done == 40, "and the list is as it was"


def test_kept_and_replaced_areas_are_told_apart_without_colour(window: MainWindow, qtbot: QtBot) -> None:
    """The same box, drawn as kept, as replaced, and as anything else, gives three pictures in black and white."""
    view: PictureView = window.detail.picture
    window.add(["in/*2"])
    qtbot.waitUntil(lambda: not window.session.busy)
    view.setFocus()
    drawn = []
    for kind in ("kept", "altered", "face"):
        path = window.model.table.rows[0].path
        view.show_picture(path, (800, 600), (Region(kind, (200, 100, 300, 300)),))
        QTest.keyPress(view, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: view.reveal.clear is not None)
        grey = view._sheet.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
        drawn.append(grey.copy(0, 0, grey.width(), grey.height() - 60))
        QTest.keyRelease(view, Qt.Key.Key_Space)
    assert drawn[0] != drawn[1]
    assert drawn[1] != drawn[2]
    assert drawn[0] != drawn[2]
