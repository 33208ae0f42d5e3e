"""The main window: the list, its filter, progress, and the detail pane. Nothing of the engine runs in its thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAction,
    QClipboard,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from desktop.window import parts, summary
from desktop.window.detail_pane import DetailPane
from desktop.window.dialogs import AgeQuestion, Meanings, Shortcuts, WhereToTurn
from desktop.window.dropped import local_path
from desktop.window.packed import Packed
from desktop.window.quick_exit import QuickExit
from desktop.window.results_model import ResultsModel
from desktop.window.reveal import Pixels, Request
from desktop.window.session import Session
from desktop.window.table import Column, Row, Table, column_title
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.finding import Profile


class MainWindow(QMainWindow):
    """One window, one session. `shutdown` ends its threads; call it after the event loop."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setWindowTitle("Counterproof")
        self.setAcceptDrops(True)
        self.session = session
        self.adults_only = False
        self._asking = False
        self._pending: list[str] = []
        self._stopped = False
        self._copied = ""
        self.model = ResultsModel(Table(), self)
        self._build()
        self._build_menus()
        self._connect()
        self.quick_exit = QuickExit(self.leave, self.hint, self)
        self.quick_exit.watch(self)
        self._show_state()

    # What the user can do

    def add(self, paths: list[str]) -> None:
        """Checks files and folders; before a list's first it asks about age, and opens nothing until answered."""
        if not paths:
            return
        if self.adults_only:
            self._stopped = False
            self.session.add(paths)
            return
        self._pending += paths
        if not self._asking:
            self._asking = True
            question = AgeQuestion(self)
            question.finished.connect(self._asked)
            question.all_adults.connect(self._all_adults)
            question.maybe_minor.connect(self._maybe_minor)
            self._open(question)

    def leave(self) -> None:
        """Closes at once: every window disappears first, then the work is ended."""
        for widget in QApplication.topLevelWidgets():
            widget.hide()
        self._forget_clipboard()
        self.close()
        QApplication.quit()

    def shutdown(self) -> None:
        """Ends the threads. Nothing is kept."""
        self.session.close()

    def hint(self, text: str) -> None:
        """A passing word in the status line."""
        self.bottom.state.setText(text)
        QTimer.singleShot(3000, self.bottom, self._show_state)

    def choose_files(self) -> None:
        """Asks for files."""
        self._choose(QFileDialog.FileMode.ExistingFiles, translate("window", "Open files"))

    def choose_folder(self) -> None:
        """Asks for a folder."""
        self._choose(QFileDialog.FileMode.Directory, translate("window", "Open folder"))

    def clear(self) -> None:
        """Empties the list. What is added next may be of other people, so the question of age is asked again."""
        if not self.session.busy:
            self.adults_only = False
            self.session.forget()
            self.model.clear()
            self.detail.show_row(None)
            self._show_state()

    # Construction

    def _build(self) -> None:
        self.empty = parts.EmptyPage(self)
        self.top = parts.TopBar(self)
        self.view = parts.ResultsView(self.model, self)
        self.detail = DetailPane(self)
        self.bottom = parts.BottomBar(self)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.detail)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([600, 400])
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(parts.column(self.top, self.splitter, self.bottom))
        self.setCentralWidget(self.pages)
        self.setMinimumSize(720, 480)
        screen = QGuiApplication.primaryScreen().availableGeometry()
        self.resize(min(1180, screen.width()), min(760, screen.height()))

    def _action(self, menu: QMenu, text: str, keys: QKeySequence | str, do: Callable[[], object]) -> QAction:
        action = QAction(text, self)
        action.setShortcut(keys)
        action.triggered.connect(lambda _checked=False: do())
        menu.addAction(action)
        return action

    def _build_menus(self) -> None:
        bar = self.menuBar()
        file = bar.addMenu(translate("menu", "&File"))
        self.open_files = self._action(file, translate("menu", "&Open files…"), "Ctrl+O", self.choose_files)
        self.open_folder = self._action(file, translate("menu", "Open fol&der…"), "Ctrl+Shift+O", self.choose_folder)
        file.addSeparator()
        self.clear_list = self._action(file, translate("menu", "C&lear the list"), "Ctrl+L", self.clear)
        file.addSeparator()
        self._action(file, translate("menu", "Close at once"), "Ctrl+Q", self.leave)
        check = bar.addMenu(translate("menu", "Chec&k"))
        self.pause = self._action(check, translate("menu", "&Pause or resume"), "Ctrl+P", self._toggle_pause)
        self.cancel = self._action(check, translate("menu", "&Stop"), "Ctrl+.", self._cancel)
        view = bar.addMenu(translate("menu", "&View"))
        self._action(view, translate("menu", "&Find in the list"), "Ctrl+F", self.top.text.setFocus)
        self.hide_pictures = self._action(
            view, translate("menu", "&Hide pictures altogether"), "Ctrl+H", self._hide_pictures
        )
        self.hide_pictures.setCheckable(True)
        sorting = view.addMenu(translate("menu", "&Sort by"))
        order = translate("menu", "Order added")
        for column, name in [(-1, order), *((c, column_title(c)) for c in Column)]:
            self._action(sorting, name, "", partial(self.view.sort_by, int(column)))
        help_menu = bar.addMenu(translate("menu", "&Help"))
        self._action(help_menu, translate("menu", "&Keyboard shortcuts"), "F1", self._show_shortcuts)
        self._action(help_menu, translate("menu", "&What the verdicts mean"), "", self._show_meanings)

    def _connect(self) -> None:
        for page in (self.empty, self.top):
            page.files.clicked.connect(self.choose_files)
            page.folder.clicked.connect(self.choose_folder)
        self.top.changed.connect(self._filter)
        self.bottom.pause.clicked.connect(self._toggle_pause)
        self.bottom.cancel.clicked.connect(self._cancel)
        self.view.selectionModel().currentRowChanged.connect(self._chosen)
        self.detail.copied.connect(self._copy)
        self.detail.thorough_wanted.connect(self._check_thoroughly)
        self.detail.picture.wanted.connect(self.session.preview)
        self.session.preview_ready.connect(self._preview_ready)
        self.session.preview_failed.connect(self._preview_failed)
        self.session.found.connect(self._found)
        self.session.again.connect(self._again)
        self.session.results.connect(self._results)
        self.session.busy_changed.connect(self._busy)
        self.session.failed.connect(self._failed)

    # What the session says

    def _found(self, paths: list[str]) -> None:
        self.model.add(paths)
        if not self.view.currentIndex().isValid() and self.model.rowCount():
            self.view.setCurrentIndex(self.model.index(0, 0))
        self._show_state()

    def _again(self, ids: list[int]) -> None:
        self.model.wait_again(ids)
        self._show_state()

    def _results(self, results: list[tuple[int, Packed]]) -> None:
        self.model.fill(results)
        rows = self.model.table.rows
        if any(rows[row_id] is self.detail.row for row_id, _ in results):
            self.detail.refresh()
        self._show_state()

    def _busy(self, busy: bool) -> None:
        if not busy:
            if self._stopped:
                self.model.stop_waiting()
            self.view.sort_again()
        self._show_state()
        if not busy:
            self._say(f"{self.bottom.state.text()} {self.bottom.found.text()}")

    def _failed(self, message: str, remedy: str) -> None:
        self.model.stop_waiting()
        self._show_state()
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Counterproof", message, parent=self)
        box.setInformativeText(remedy)
        self._open(box)

    def _preview_ready(self, request: Request, pixels: Pixels) -> None:
        self.detail.picture.arrived(request, pixels)

    def _preview_failed(self, request: Request, error: CounterproofError) -> None:
        self.detail.picture.failed(request, error)

    # What the user did

    def _asked(self, result: int) -> None:
        self._asking = False
        if result == QDialog.DialogCode.Rejected:
            self._pending.clear()

    def _all_adults(self) -> None:
        self.adults_only = True
        pending, self._pending = self._pending, []
        self.add(pending)

    def _maybe_minor(self) -> None:
        self._open(WhereToTurn(self))

    def _choose(self, mode: QFileDialog.FileMode, title: str) -> None:
        dialog = QFileDialog(self, title)
        # The system's own dialogs draw clear thumbnails and remember what was opened; Qt's does neither here.
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setFileMode(mode)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, mode == QFileDialog.FileMode.Directory)
        dialog.filesSelected.connect(self._chosen_files)
        self._open(dialog)

    def _chosen_files(self, paths: list[str]) -> None:
        self.add([p for p in paths if p])

    def _toggle_pause(self) -> None:
        if self.session.busy:
            self.session.pause(not self.session.paused)
            self._show_state()

    def _cancel(self) -> None:
        if self.session.busy:
            self._stopped = True
            self.session.cancel()
            self._show_state()

    def _filter(self) -> None:
        row = self.detail.row
        self.model.filter(self.top.wanted(), self.top.text.text())
        self._choose_row(row)

    def _choose_row(self, row: Row | None) -> None:
        """Keeps the chosen row chosen where it is still shown; otherwise nothing is."""
        table = self.model.table
        place = next((p for p, i in enumerate(table.order) if table.rows[i] is row), None) if row else None
        if place is None:
            self.detail.show_row(None)
            return
        index = self.model.index(place, 0)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.view.selectionModel().setCurrentIndex(index, flags)

    def _chosen(self, current: QModelIndex, _previous: QModelIndex) -> None:
        row = self.model.row(current)
        if row is not self.detail.row:
            self.detail.show_row(row)

    def _check_thoroughly(self, path: str) -> None:
        self._stopped = False
        self.session.add([path], Profile.THOROUGH)

    def _hide_pictures(self) -> None:
        self.detail.picture.hide_altogether(self.hide_pictures.isChecked())
        self.detail.refresh()

    def _copy(self, text: str) -> None:
        self._copied = text
        QGuiApplication.clipboard().setText(text)
        self.hint(translate("window", "Copied, without the picture."))

    def _show_shortcuts(self) -> None:
        self._open(Shortcuts(self, self.findChildren(QAction)))

    def _show_meanings(self) -> None:
        self._open(Meanings(self))

    # Helpers

    def _open(self, dialog: QWidget) -> None:
        """Shows a dialog without a nested event loop; it deletes itself when it is closed."""
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowModality(Qt.WindowModality.WindowModal)
        self.quick_exit.watch(dialog)
        dialog.show()

    def _show_state(self) -> None:
        counts = self.model.table.counts()
        busy = self.session.busy
        state = summary.state(counts, busy=busy, paused=self.session.paused, stopped=self._stopped)
        self.bottom.show_counts(counts, state, busy=busy, paused=self.session.paused)
        self.pause.setEnabled(busy)
        self.cancel.setEnabled(busy)
        self.clear_list.setEnabled(not busy and counts.total > 0)
        self.pages.setCurrentIndex(1 if busy or counts.total else 0)

    def _say(self, text: str) -> None:
        """Tells a screen reader."""
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def _forget_clipboard(self) -> None:
        """Whatever was copied from here goes, on platforms that tell whose it is; what others copied stays."""
        clipboard = QGuiApplication.clipboard()
        if clipboard.ownsClipboard() or (self._copied and clipboard.text() == self._copied):
            clipboard.clear()
        if clipboard.ownsSelection():
            clipboard.clear(QClipboard.Mode.Selection)
        self._copied = ""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        urls: list[QUrl] = event.mimeData().urls()
        event.acceptProposedAction()
        self.add([path for url in urls if (path := local_path(url)) is not None])

    def closeEvent(self, event: QCloseEvent) -> None:
        self._forget_clipboard()
        super().closeEvent(event)
