"""What a keyboard and a screen reader find in a window: used on the real one, and on planted faults."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QMenuBar, QScrollBar, QWidget


def colours(widget: QWidget) -> set[tuple[int, int, int]]:
    """Every colour that a widget draws, as red, green, blue."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    values = set(memoryview(image.constBits()).cast("I"))
    return {(v >> 16 & 255, v >> 8 & 255, v & 255) for v in values}


def controls(window: QWidget) -> list[QWidget]:
    """Visible, enabled widgets that take the focus by Tab."""
    return [
        w
        for w in window.findChildren(QWidget)
        if w.isVisible()
        and w.isEnabled()
        and w.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(w, QScrollBar | QMenuBar)
        and not isinstance(w.parentWidget(), QComboBox)
        and w.focusProxy() is None
    ]


def nameless(window: QWidget) -> list[str]:
    """Controls that a screen reader could not name."""
    return [
        f"{type(w).__name__} {w.objectName()}"
        for w in controls(window)
        if not (w.accessibleName() or (isinstance(w, QAbstractButton) and w.text()))
    ]


def unreachable(window: QWidget) -> list[QWidget]:
    """Controls that Tab does not come by, starting anywhere."""
    wanted = controls(window)
    reached: set[QWidget] = set()
    for _ in range(3 * len(wanted) + 5):
        focus = QApplication.focusWidget()
        if focus is not None:
            reached.add(focus)
        QTest.keyClick(focus or window, Qt.Key.Key_Tab)
    return [w for w in wanted if w not in reached]


def cut_off(window: QWidget) -> list[str]:
    """Buttons that are smaller than their text needs, and controls that lie outside the window."""
    found = []
    for widget in controls(window):
        place = widget.rect().translated(widget.mapTo(window, widget.rect().topLeft()))
        if not window.rect().contains(place):
            found.append(f"outside: {type(widget).__name__} {widget.accessibleName()}")
        if isinstance(widget, QAbstractButton) and widget.width() < widget.sizeHint().width():
            found.append(f"cut: {widget.text()}")
    return found
