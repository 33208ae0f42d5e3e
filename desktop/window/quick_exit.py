"""Esc twice closes everything at once, from the window and from each of its dialogs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QElapsedTimer, QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from desktop.window.words import translate

# Two presses belong together within this time: slow enough for unsteady hands.
WITHIN_MS = 2000


class QuickExit(QObject):
    """Counts presses of Esc in the windows that it watches."""

    def __init__(self, leave: Callable[[], None], hint: Callable[[str], None], parent: QObject) -> None:
        super().__init__(parent)
        self._leave = leave
        self._hint = hint
        self._since = QElapsedTimer()

    def watch(self, window: QWidget) -> None:
        """Counts presses in a window or dialog, whichever part of it has the focus."""
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
            and not event.isAutoRepeat()
        ):
            self._pressed()
        return super().eventFilter(watched, event)

    def _pressed(self) -> None:
        if self._since.isValid() and self._since.elapsed() <= WITHIN_MS:
            self._since.invalidate()
            self._leave()
            return
        self._since.start()
        self._hint(translate("window", "Press Esc once more to close Counterproof at once."))
