"""The main window: the list, its filter, progress, the detail pane, and the casebook's sidebar.

Nothing of the engine or of the casebook runs in its thread. What is done with a casebook is in `case_desk`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, QUrl
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
    QMenuBar,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from desktop.safety import age_gate
from desktop.safety.age_gate import Adults
from desktop.window import parts, summary
from desktop.window.alike_list import ListAlikes
from desktop.window.case_desk import CaseDesk
from desktop.window.case_forms import Kept
from desktop.window.case_session import CaseSession, CaseState
from desktop.window.detail_pane import DetailPane
from desktop.window.dialogs import AgeQuestion, Meanings, Shortcuts
from desktop.window.dropped import local_path
from desktop.window.own_photos import OwnPhotos
from desktop.window.packed import Packed
from desktop.window.quick_exit import QuickExit
from desktop.window.results_model import ResultsModel
from desktop.window.reveal import Pixels, Request
from desktop.window.session import Session
from desktop.window.table import Column, Row, Status, Table, column_title
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.finding import Profile


class MainWindow(QMainWindow):
    """One window, one session. `shutdown` ends its threads; call it after the event loop."""

    def __init__(self, session: Session, cases: CaseSession) -> None:
        super().__init__()
        self.setWindowTitle("Counterproof")
        self.setAcceptDrops(True)
        self.session, self.cases = session, cases
        self.adults: Adults | None = None
        self._asking = False
        self._pending: list[str] = []
        self._after_answer: list[Callable[[Adults], None]] = []
        self._stopped = False
        self._copied = ""
        self.model = ResultsModel(Table(), self)
        self.quick_exit = QuickExit(self.leave, self.hint, self)
        self.quick_exit.watch(self)
        self.case = CaseDesk(self, session, cases, self._open)
        self.alikes = ListAlikes(self, session, self._open, lambda e: self._failed(e.message, e.remedy))
        self.own = OwnPhotos(self, session, cases, self.case, self._open, self._when_adults)
        self._build()
        self._build_menus()
        self._connect()
        self._case_changed()
        self._show_state()

    # What the user can do

    def add(self, paths: list[str]) -> None:
        """Checks files and folders; before a list's first it asks about age, and opens nothing until answered."""
        if not paths:
            return
        if self.adults is not None:
            self._stopped = False
            self.session.add(paths)
            return
        self._pending += paths
        self._ask_age()

    def _when_adults(self, then: Callable[[Adults], None]) -> None:
        """Calls `then` once the question about age was answered with "all adults"; at once where it was."""
        if self.adults is not None:
            then(self.adults)
        else:
            self._after_answer.append(then)
            self._ask_age()

    def _ask_age(self) -> None:
        if not self._asking:
            self._asking = True
            question = AgeQuestion(self)
            question.finished.connect(self._asked)
            question.all_adults.connect(self._all_adults)
            question.maybe_minor.connect(self._maybe_minor)
            self._open(question)

    def leave(self) -> None:
        """Closes at once: every window disappears first, then the casebook is locked and the work is ended."""
        unsaved = [w for w in QApplication.topLevelWidgets() if isinstance(w, Kept) and w.unsaved()]
        for widget in QApplication.topLevelWidgets():
            widget.hide()
        self.case.leave(unsaved)
        self._forget_clipboard()
        self.close()
        QApplication.quit()

    def shutdown(self) -> None:
        """Ends the threads, and closes the casebook. Of the list nothing is kept."""
        self.cases.end()
        self.case.end()
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
            self.adults = None
            self.session.forget()
            self.alikes.forget()
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
        self.beside = QStackedWidget(self)
        self.beside.addWidget(self.detail)
        self.beside.addWidget(self.case.pane)
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.beside)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([600, 400])
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(parts.column(self.top, self.splitter, self.bottom))
        self.whole = QSplitter(Qt.Orientation.Horizontal, self)
        self.whole.addWidget(self.case.sidebar)
        self.whole.addWidget(self.pages)
        self.whole.setCollapsible(1, False)
        self.whole.setStretchFactor(1, 1)
        self.whole.setSizes([260, 740])
        self.setCentralWidget(self.whole)
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
        self._action(file, translate("menu", "Your own pho&tos…"), "Ctrl+R", self._own_photos)
        self.clear_list = self._action(file, translate("menu", "C&lear the list"), "Ctrl+L", self.clear)
        file.addSeparator()
        self._build_case_menu(bar, file)
        self._action(file, translate("menu", "Close at once"), "Ctrl+Q", self.leave)
        check = bar.addMenu(translate("menu", "Chec&k"))
        self.pause = self._action(check, translate("menu", "&Pause or resume"), "Ctrl+P", self._toggle_pause)
        self.cancel = self._action(check, translate("menu", "&Stop"), "Ctrl+.", self._cancel)
        check.addSeparator()
        self.look = self._action(
            check, translate("menu", "Look for the s&ource photo of the chosen files"), "Ctrl+U", self._look_chosen
        )
        self.look_all = self._action(
            check, translate("menu", "Look for the source photo of &all files"), "Ctrl+Shift+U", self._look_all
        )
        check.addSeparator()
        self.leave_out = self._action(
            check, translate("menu", "&Leave out the chosen files"), "Ctrl+D", self._leave_out
        )
        self.minor = self._action(
            check, translate("menu", "Someone in the chosen files may be &under 18…"), "", self._maybe_minor_chosen
        )
        view = bar.addMenu(translate("menu", "&View"))
        self._action(view, translate("menu", "&Find in the list"), "Ctrl+F", self.top.text.setFocus)
        self.hide_pictures = self._action(
            view, translate("menu", "&Hide pictures altogether"), "Ctrl+H", self._hide_pictures
        )
        self.hide_pictures.setCheckable(True)
        self.group = self._action(view, translate("menu", "&Group look-alikes…"), "Ctrl+G", self._group)
        self.side = self._action(view, translate("menu", "Hide or show the &casebook"), "Ctrl+B", self._toggle_side)
        sorting = view.addMenu(translate("menu", "&Sort by"))
        order = translate("menu", "Order added")
        for column, name in [(-1, order), *((c, column_title(c)) for c in Column)]:
            self._action(sorting, name, "", partial(self.view.sort_by, int(column)))
        help_menu = bar.addMenu(translate("menu", "&Help"))
        self._action(help_menu, translate("menu", "&Keyboard shortcuts"), "F1", self._show_shortcuts)
        self._action(help_menu, translate("menu", "&What the verdicts mean"), "", self._show_meanings)
        self._action(help_menu, translate("menu", "&Laws and platforms…"), "", self.case.show_facts)

    def _build_case_menu(self, bar: QMenuBar, file: QMenu) -> None:
        case = self.case
        self._action(file, translate("menu", "&New casebook…"), "Ctrl+Shift+N", case.new)
        self._action(file, translate("menu", "Open &casebook…"), "Ctrl+Shift+C", case.open)
        self.close_case = self._action(file, translate("menu", "Close the c&asebook"), "", case.close)
        menu = bar.addMenu(translate("menu", "Case&book"))
        self.case_actions = [
            self._action(file, translate("menu", "Loc&k the casebook"), "Ctrl+K", case.lock),
            self._action(file, translate("menu", "&Back up the casebook…"), "", case.back_up),
            self._action(file, translate("menu", "Change &passphrase…"), "", case.change_passphrase),
            self._action(file, translate("menu", "&Verify the custody log…"), "", case.verify),
            self._action(file, translate("menu", "E&xport as JSON…"), "", case.export),
            self._action(menu, translate("menu", "New &incident…"), "", case.new_incident),
            self._action(menu, translate("menu", "&Edit the incident…"), "", case.edit_incident),
            self._action(menu, translate("menu", "Add a &note…"), "Ctrl+Shift+M", case.add_note),
            self._action(menu, translate("menu", "Add a &sighting…"), "Ctrl+Shift+S", case.add_sighting),
            self._action(menu, translate("menu", "&Prepare a request…"), "Ctrl+Shift+P", case.prepare_request),
            self._action(
                menu, translate("menu", "Re&quests, and what comes next…"), "Ctrl+Shift+W", case.track_requests
            ),
            self._action(menu, translate("menu", "Note a &request made elsewhere…"), "Ctrl+Shift+R", case.add_request),
            self._action(menu, translate("menu", "Sigh&tings and screenshots…"), "Ctrl+Shift+G", case.show_sightings),
            self._action(menu, translate("menu", "&Contacts…"), "", case.show_contacts),
        ]
        file.addSeparator()
        menu.addSeparator()
        self.add_to_case = self._action(
            menu, translate("menu", "&Add the chosen files to the casebook…"), "Ctrl+Return", self._add_to_case
        )

    def _connect(self) -> None:
        for page in (self.empty, self.top):
            page.files.clicked.connect(self.choose_files)
            page.folder.clicked.connect(self.choose_folder)
        self.empty.request.clicked.connect(self.case.begin_request)
        self.top.changed.connect(self._filter)
        self.bottom.pause.clicked.connect(self._toggle_pause)
        self.bottom.cancel.clicked.connect(self._cancel)
        self.view.selectionModel().currentRowChanged.connect(self._chosen)
        # The row that is the current one already can be chosen again, while an item of the casebook is shown.
        self.view.clicked.connect(lambda index: self._chosen(index, index))
        self.view.activated.connect(lambda index: self._chosen(index, index))
        self.detail.copied.connect(self._copy)
        self.detail.add_wanted.connect(self._add_to_case)
        self.view.menu_wanted.connect(self._show_row_menu)
        self.view.selectionModel().selectionChanged.connect(lambda _now, _before: self._selection_changed())
        self.own.changed.connect(self._show_state)
        self.own.look_wanted.connect(self._look_all)
        self.case.item_shown.connect(self._item_shown)
        self.case.said.connect(self.hint)
        self.case.copied.connect(self._copy)
        self.case.forget_clipboard.connect(self._forget_clipboard)
        self.case.changed.connect(self._case_changed)
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
            self.own.idle()
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
            self._after_answer.clear()

    def _all_adults(self) -> None:
        self.adults = adults = age_gate.admit(age_gate.Answer.ADULTS)
        pending, self._pending = self._pending, []
        after, self._after_answer = self._after_answer, []
        if adults is not None:
            for then in after:
                then(adults)
        self.add(pending)

    def _maybe_minor(self) -> None:
        self.case.where_to_turn()

    def _leave_out(self) -> None:
        """The chosen files are opened no more, and what is known of them is dropped."""
        ids = self.view.chosen_ids()
        self.session.leave_out(ids)
        self.model.leave_out(ids)
        if self.detail.row is not None:
            self.detail.show_row(self.detail.row)
        self._show_state()

    def _maybe_minor_chosen(self) -> None:
        self._leave_out()
        self.case.where_to_turn()

    def _add_to_case(self) -> None:
        """The chosen files that were checked, into the casebook."""
        rows = [self.model.table.rows[i] for i in self.view.chosen_ids()]
        checked = [row for row in rows if row.status is Status.SCANNED]
        if self.case.is_open and self.adults is not None and checked:
            self.case.add_files(checked, self.adults)

    def _group(self) -> None:
        rows = self.model.table.rows
        self.alikes.group([rows[i] for i in self.model.table.order], hidden=self.hide_pictures.isChecked())

    def _toggle_side(self) -> None:
        sizes = self.whole.sizes()
        self.whole.setSizes([0 if sizes[0] else 260, sum(sizes)])

    def _show_row_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions([self.add_to_case, self.look, self.leave_out, self.minor])
        menu.popup(place)

    def _item_shown(self, shown: bool) -> None:
        """An item of the casebook is beside the list, or the chosen file again."""
        self.beside.setCurrentIndex(1 if shown else 0)
        self._show_state()

    def _case_changed(self) -> None:
        for action in self.case_actions:
            action.setEnabled(self.case.is_open)
        self.close_case.setEnabled(self.cases.state in (CaseState.OPEN, CaseState.LOCKED))
        self.side.setEnabled(self.cases.state is not CaseState.CLOSED)
        self._selection_changed()

    def _selection_changed(self) -> None:
        rows = [self.model.table.rows[i] for i in self.view.chosen_ids()]
        checked = any(row.status is Status.SCANNED for row in rows)
        self.add_to_case.setEnabled(self.case.is_open and checked)
        self.detail.offer_casebook(self.case.is_open)
        self.look.setEnabled(checked and bool(self.own.photos.used))
        self.leave_out.setEnabled(bool(rows))
        self.minor.setEnabled(bool(rows))

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
        if row is not None:
            self.case.unchoose()
        if row is not self.detail.row:
            self.detail.show_row(row)

    def _check_thoroughly(self, path: str) -> None:
        self._stopped = False
        self.session.add([path], Profile.THOROUGH)

    def _own_photos(self) -> None:
        self.own.checked = sum(row.status is Status.SCANNED for row in self.model.table.rows)
        self.own.open()

    def _look_chosen(self) -> None:
        self._look([self.model.table.rows[i] for i in self.view.chosen_ids()])

    def _look_all(self) -> None:
        self._look(self.model.table.rows)

    def _look(self, rows: Sequence[Row]) -> None:
        """Checks files again, each as thoroughly as before, now with the photos."""
        again: dict[Profile, list[str]] = {}
        for row in rows:
            report = row.report if row.status is Status.SCANNED else None
            if report is not None and report.analysis is not None:
                again.setdefault(report.analysis.profile, []).append(row.path)
        self._stopped = False
        for profile, paths in again.items():
            self.session.add(paths, profile)

    def _hide_pictures(self) -> None:
        self.detail.picture.hide_altogether(self.hide_pictures.isChecked())
        self.case.hide_pictures(self.hide_pictures.isChecked())
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
        if self.own.reading and counts.done >= counts.total:
            self.bottom.state.setText(translate("photos", "Your photos are being read…"))
        self.bottom.show_photos(self.own.line())
        self.look_all.setEnabled(bool(self.own.photos.used) and counts.total - counts.problems > 0)
        self.pause.setEnabled(busy)
        self.cancel.setEnabled(busy)
        self.clear_list.setEnabled(not busy and counts.total > 0)
        self.group.setEnabled(counts.total - counts.problems > 1 and not busy)
        self._selection_changed()
        item = self.beside.currentIndex() == 1
        self.view.setVisible(bool(busy or counts.total))
        self.pages.setCurrentIndex(1 if busy or counts.total or item else 0)

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
        self.case.lock()
        self._forget_clipboard()
        super().closeEvent(event)
