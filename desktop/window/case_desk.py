"""Joins the casebook's session, the sidebar, the item's pane and the dialogs. The main window only places them."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget
from shiboken6 import isValid

from desktop.casebook.records import Item, NewItem, RequestState, Sighting
from desktop.safety import age_gate, helplines
from desktop.safety.age_gate import Adults
from desktop.safety.helplines import Helpline, locale_country
from desktop.window import case_view
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
    alike_text,
    verification_text,
)
from desktop.window.case_forms import CaseForm, Job, Kept
from desktop.window.case_import import gather, gather_screenshot
from desktop.window.case_pane import CasePane
from desktop.window.case_runner import Book
from desktop.window.case_session import CaseSession, CaseState
from desktop.window.case_sidebar import CaseSidebar
from desktop.window.case_view import Contents, ItemContents
from desktop.window.dialogs import AgeQuestion, WhereToTurn
from desktop.window.look_alikes import LookAlikes, Pair
from desktop.window.packet_work import Worker
from desktop.window.pair_view import PairWindow
from desktop.window.reveal import Pixels, Request
from desktop.window.session import Session
from desktop.window.sightings import SightingsWindow
from desktop.window.table import Row
from desktop.window.words import translate
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    from desktop.window.packet_desk import PacketDesk

SUFFIX = "casebook"


class CaseDesk(QObject):
    """What can be done with a casebook in the window. Nothing here waits for the casebook or for a dialog."""

    item_shown = Signal(bool)
    """Whether the pane beside the list shows an item of the casebook."""
    said = Signal(str)
    """A passing word for the status line."""
    copied = Signal(str)
    forget_clipboard = Signal()
    changed = Signal()
    """Whether a casebook is open has changed."""

    def __init__(self, window: QWidget, session: Session, cases: CaseSession, show: Callable[[QWidget], None]) -> None:
        super().__init__(window)
        self._window, self._session, self._cases, self._show_dialog = window, session, cases, show
        self.sidebar = CaseSidebar(window)
        self.pane = CasePane(window)
        self.contents: Contents | None = None
        self.alikes = LookAlikes()
        self.pairs: PairWindow | None = None
        self.sightings: SightingsWindow | None = None
        self._sightings_of: int | None = None
        self.pictures_hidden = False
        self._item_id: int | None = None
        self._incident_id: int | None = None
        self._compared: object = None
        self._was_open = False
        self._dialogs: list[QWidget] = []
        self._worker = Worker(self)
        self.packets: PacketDesk | None = None
        self._connect()

    @property
    def is_open(self) -> bool:
        """Whether there is an open casebook."""
        return self._cases.is_open

    def end(self) -> None:
        """Waits for the thread that was started here."""
        self._worker.end()

    # The file

    def new(self, then: Callable[[], None] | None = None) -> None:
        """Asks where, then for a passphrase, makes a casebook, and asks what happened; then calls `then`."""
        self._ask_path(translate("case", "New casebook"), lambda path: self._new_at(path, then), save=True)

    def open(self) -> None:
        """Asks which, then for its passphrase."""
        self._ask_path(translate("case", "Open casebook"), self.open_at)

    def open_at(self, path: str) -> None:
        """Asks for the passphrase of the casebook at `path`, and opens it."""
        form = Unlock(self._window, os.path.basename(path), self._cases.actor)

        def submit() -> None:
            do = self._cases.open_with_code if form.by_code.isChecked() else self._cases.open
            do(path, form.word.text(), form.actor.text().strip(), partial(self._opened, form), partial(_again, form))

        form.wanted.connect(submit)
        self._show(form)

    def unlock(self) -> None:
        """Asks for the passphrase of the locked casebook."""
        if self._cases.path:
            self.open_at(self._cases.path)

    def close(self) -> None:
        """Closes the casebook."""
        self._cases.close()

    def lock(self) -> None:
        """Closes the casebook until its passphrase is entered again."""
        self._cases.lock()

    def leave(self, unsaved: Sequence[Kept]) -> None:
        """Quick exit: saves these forms, which are hidden by now, and locks."""
        for form in unsaved:
            if self.is_open:
                self._cases.ask(form.job())
        self.lock()

    def back_up(self) -> None:
        """Asks where, and writes a whole copy there."""

        def do(path: str) -> None:
            done = translate("case", "The backup is written and was checked. It opens with the same passphrase.")
            self._cases.ask(lambda book: book.backup(Path(path)), lambda _none: self.say(done))

        self._ask_path(translate("case", "Back up the casebook"), do, save=True)

    def change_passphrase(self) -> None:
        """Asks for the present passphrase and for another; the new recovery code is shown once."""
        form = NewPassphrase(self._window, for_new=False)

        def submit() -> None:
            present, new = "" if form.present is None else form.present.text(), form.first.text()

            def change(book: Book) -> Any:
                book.check_secret(present)
                return book.change_passphrase(new)

            self._cases.ask(change, done, partial(_again, form))

        def done(code: str) -> None:
            _accept(form)
            self._show_code(code)

        form.wanted.connect(submit)
        self._show(form)

    def verify(self) -> None:
        """Checks the custody log and the file, and says what was found."""
        self.said.emit(translate("case", "Checking the custody log…"))
        self._cases.ask(lambda book: book.verify(), lambda found: self.say(verification_text(found)))

    def export(self) -> None:
        """Says what an export is, asks how much and where, and writes it."""
        incident = None if self.contents is None else self.contents.incident
        form = ExportForm(self._window, incident)

        def write(path: str, what: int | None) -> None:
            done = translate("case", "The export is written. It is not encrypted: keep it only as long as you need it.")
            self._cases.ask(lambda book: book.export(Path(path), what), lambda _none: self.say(done))

        def where() -> None:
            what = form.what.currentData()
            form.accept()
            title, kind = translate("case", "Export as JSON"), (translate("case", "JSON files"), "json")
            self._ask_path(title, lambda path: write(path, what), save=True, kind=kind)

        form.wanted.connect(where)
        self._show(form)

    # What it holds

    def new_incident(self, then: Callable[[], None] | None = None) -> None:
        """Asks what happened, in her words."""

        def made(incident: Any) -> None:
            self._incident_id = incident.id
            self.reload()
            if then is not None:
                then()

        self._run(IncidentForm(self._window), made)

    def edit_incident(self) -> None:
        """Changes the incident, and who may act for her."""
        contents = self.contents
        if contents is None or contents.incident is None:
            return
        incident_id = contents.incident.id
        form = IncidentForm(self._window, contents.incident, contents.consents)

        def consents(_value: Any = None) -> None:
            self._cases.ask(lambda book: book.consents(incident_id), show)
            self.reload()

        def show(found: Any) -> None:
            if isValid(form):
                form.show_consents(found)

        form.consent_wanted.connect(lambda: self._run(ConsentForm(self._window, incident_id), consents))
        form.withdrawn.connect(lambda i: self._cases.ask(lambda book: book.withdraw_consent(i), consents))
        self._run(form, self._written)

    def add_note(self) -> None:
        """A note on the chosen item, or on the incident."""
        incident_id, item = self._where()
        if incident_id is None:
            return
        item_id = None if item is None else item.id

        def make(text: str) -> Job:
            return lambda book: book.add_note(incident_id, text, item_id=item_id)

        self._run(WordsForm(self._window, translate("case", "Add a note"), _about(item), "", make), self._written)

    def describe_item(self) -> None:
        """The chosen item in words."""
        _, item = self._where()
        if item is None:
            return
        item_id = item.id
        intro = translate("case", "What the picture shows, in a few words. They save everyone from looking again.")

        def make(text: str) -> Job:
            return lambda book: book.describe_item(item_id, text)

        title = translate("case", "Describe")
        self._run(WordsForm(self._window, title, intro, item.description, make), self._written)

    def add_sighting(self, *, maybe_minor: bool = False) -> None:
        """Where the chosen item was seen; without one, or with `maybe_minor`, a sighting of words alone."""
        incident_id, item = self._where()
        if incident_id is None:
            if maybe_minor and self.is_open:
                self.new_incident(lambda: self.add_sighting(maybe_minor=True))
            return
        form = SightingForm(
            self._window, incident_id, None if maybe_minor else item, self._cases.actor, maybe_minor=maybe_minor
        )
        self._run(form, self._written)

    def show_sightings(self, chosen: int | None = None) -> None:
        """The sightings of the chosen item, or those of text alone where no item is chosen."""
        self.sightings = window = SightingsWindow(self._window)
        self._sightings_of = self._item_id
        window.picture.hide_altogether(self.pictures_hidden)
        window.picture.wanted.connect(partial(self._kept, window.picture, "screenshot"))
        self._session.preview_ready.connect(window.picture.arrived)
        self._session.preview_failed.connect(window.picture.failed)
        window.packet_wanted.connect(lambda s: self.prepare_request(sighting_ids=[s.id]))
        window.screenshot_wanted.connect(self.attach_screenshot)
        window.deletion_wanted.connect(lambda s: self._run(DeleteSighting(self._window, s), self._written))
        self._show(window)
        self._refresh_sightings(chosen)

    def attach_screenshot(self, sighting: Sighting) -> None:
        """Asks whether anyone in it may be under 18, then which file, and says what keeping it means."""
        question = AgeQuestion(self._window)

        def admitted() -> None:
            adults = age_gate.admit(age_gate.Answer.ADULTS)
            if adults is not None:
                self._ask_picture(lambda path: self._attach(sighting.id, path, adults))

        question.all_adults.connect(admitted)
        question.maybe_minor.connect(lambda: self.where_to_turn())
        self._show(question)

    def show_contacts(self) -> None:
        """Who helps or decides in this incident."""
        incident_id, _ = self._where()
        if incident_id is None:
            return
        dialog = Contacts(self._window)

        def show(found: Any) -> None:
            if isValid(dialog):
                dialog.show_contacts(found)

        def ask(_value: Any = None) -> None:
            self._cases.ask(lambda book: book.contacts(incident_id), show)

        dialog.add.clicked.connect(lambda: self._run(ContactForm(self._window, incident_id), ask))
        self._show(dialog)
        ask()

    def add_request(self) -> None:
        """A request about the chosen item, or about the incident."""
        incident_id, item = self._where()
        if incident_id is not None:
            self._run(RequestForm(self._window, incident_id, [] if item is None else [item]), self._written)

    def prepare_request(self, sighting_ids: Sequence[int] = (), item_ids: Sequence[int] = ()) -> None:
        """A new request, step by step: about these, or about the whole incident."""
        incident_id = self._incident_id
        if incident_id is not None:
            self._with_packets(lambda desk: desk.prepare(incident_id, sighting_ids, item_ids))
        elif self.is_open:
            self.new_incident(self.prepare_request)

    def begin_request(self) -> None:
        """A new request, from nothing: where no casebook is open, says first why there must be one."""
        if self.is_open:
            self.prepare_request()
            return
        if self._cases.path:
            self.unlock()
            return
        box = QMessageBox(
            QMessageBox.Icon.NoIcon,
            "Counterproof",
            translate(
                "case",
                "What you write is kept in a casebook: one encrypted file on this computer, which opens with a "
                "passphrase that you choose. Without it nobody can read it. Nothing is sent from here.",
            ),
            parent=self._window,
        )
        make = box.addButton(translate("case", "&Make a new casebook…"), QMessageBox.ButtonRole.AcceptRole)
        have = box.addButton(translate("case", "&Open one that I have…"), QMessageBox.ButtonRole.ActionRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(make)
        make.clicked.connect(lambda: self.new(self.prepare_request))
        have.clicked.connect(self.open)
        self._show(box)

    def show_request(self, request_id: int) -> None:
        """A request: where it was left, while it is being prepared; later where it stands and what comes next."""
        contents = self.contents
        form = None if contents is None else contents.packets.get(request_id)
        if form is None:
            self.edit_request(request_id)
            return
        incident_id, unfinished = form.incident_id, form.built_name is None and self._is_draft(request_id)
        self._with_packets(lambda desk: desk.go_on(request_id) if unfinished else desk.track(incident_id, request_id))

    def track_requests(self) -> None:
        """All requests of the incident, where they stand, and what comes next."""
        incident_id = self._incident_id
        if incident_id is not None:
            self._with_packets(lambda desk: desk.track(incident_id))

    def show_facts(self) -> None:
        """The laws and platforms that requests rest on."""
        self._with_packets(lambda desk: desk.show_facts())

    def edit_request(self, request_id: int) -> None:
        """A request with its answers."""
        self._cases.ask(lambda book: (book.request(request_id), book.answers(request_id)), self._edit_request)

    def delete_item(self) -> None:
        """Asks once, and says what remains."""
        _, item = self._where()
        if item is not None:
            self._run(DeleteItem(self._window, item), self._deleted)

    def maybe_minor_item(self) -> None:
        """The chosen item may show someone under 18: it goes, and the helplines are shown."""
        _, item = self._where()
        if item is not None:

            def done(alike: Sequence[str]) -> None:
                self._deleted()
                self.where_to_turn(alike_text(alike) if alike else "")

            self._run(MaybeMinorItem(self._window, item), done)

    def where_to_turn(self, more: str = "") -> None:
        """Who can help where someone may be under 18; while a casebook is open, also what can be recorded. `more` is
        said besides. Help lines that were imported by hand follow as soon as they are read."""
        incident = None if self.contents is None else self.contents.incident
        country = (incident.country if incident is not None else "") or locale_country()
        dialog = WhereToTurn(self._window, country, casebook_open=self.is_open, more=more)
        dialog.text_wanted.connect(lambda: self.add_sighting(maybe_minor=True))
        self._show(dialog)

        def known(found: Sequence[Helpline]) -> None:
            if isValid(dialog):
                dialog.use(found)

        if helplines.added().is_dir():
            self._worker.ask(_helplines, known, lambda error: self.say(error.message, error.remedy))

    def add_files(self, rows: Sequence[Row], adults: Adults) -> None:
        """Adds checked files to the incident; each is an item."""
        if not rows or not self.is_open:
            return
        if self._incident_id is None:
            self.new_incident(lambda: self.add_files(rows, adults))
            return
        dialog = AddFiles(self._window, rows)
        dialog.wanted.connect(lambda: self._add_next(dialog, adults))
        self._show(dialog)

    # Look-alikes

    def show_group(self, group: int) -> None:
        """The groups of the case's items, with one of them chosen."""
        note = translate("pair", "“Not a match” is remembered in the casebook, and can be taken back.")
        self.pairs = PairWindow(self._window, remembered=note)
        self.pairs.pictures.hidden_altogether = self.pictures_hidden
        self.pairs.pictures.wanted.connect(partial(self._kept, self.pairs.pictures, "item"))
        self.pairs.marked.connect(self._marked)
        self._session.preview_ready.connect(self.pairs.pictures.arrived)
        self._session.preview_failed.connect(self.pairs.pictures.failed)
        self.pairs.show_found(self.alikes, group)
        self._show(self.pairs)

    def hide_pictures(self, hidden: bool) -> None:
        """Whether pictures are hidden altogether."""
        self.pictures_hidden = hidden
        self.pane.picture.hide_altogether(hidden)

    # Helpers

    def reload(self) -> None:
        """Reads anew what the sidebar and the pane show."""
        incident_id, item_id = self._incident_id, self._item_id
        self._cases.ask(lambda book: case_view.load(book, incident_id), self._loaded)
        if item_id is not None:
            self._cases.ask(lambda book: case_view.load_item(book, item_id, look=False), self._show_item)
        self._refresh_sightings()
        if self.packets is not None:
            self.packets.refresh()

    def unchoose(self) -> None:
        """Something else is looked at: no item is chosen any more."""
        self.sidebar.unchoose()
        self._chosen(None)

    def say(self, text: str, remedy: str = "") -> None:
        """Says something in a box that waits for nobody."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Counterproof", text, parent=self._window)
        box.setInformativeText(remedy)
        self._show(box)

    def _connect(self) -> None:
        bar, pane, cases = self.sidebar, self.pane, self._cases
        bar.chosen.connect(self._chosen)
        bar.request_wanted.connect(self.show_request)
        bar.packet_wanted.connect(lambda: self.prepare_request())
        bar.group_wanted.connect(self.show_group)
        bar.sighting_wanted.connect(self.show_sightings)
        bar.incident_chosen.connect(self._incident_chosen)
        bar.edit_wanted.connect(self.edit_incident)
        bar.lock_wanted.connect(self.lock)
        bar.unlock_wanted.connect(self.unlock)
        pane.copied.connect(self.copied)
        pane.note_wanted.connect(self.add_note)
        pane.sighting_wanted.connect(self.add_sighting)
        pane.request_wanted.connect(self.add_request)
        pane.packet_wanted.connect(self._prepare_for_item)
        pane.description_wanted.connect(self.describe_item)
        pane.deletion_wanted.connect(self.delete_item)
        pane.sightings_wanted.connect(lambda: self.show_sightings())
        pane.maybe_minor.connect(self.maybe_minor_item)
        pane.picture.wanted.connect(partial(self._kept, pane.picture, "item"))
        self._session.preview_ready.connect(self._preview_ready)
        self._session.preview_failed.connect(self._preview_failed)
        cases.about_to_lock.connect(self._save_what_is_written)
        cases.state_changed.connect(self._state)
        cases.failed.connect(self._failed)

    def _preview_ready(self, request: Request, pixels: Pixels) -> None:
        self.pane.picture.arrived(request, pixels)

    def _preview_failed(self, request: Request, error: CounterproofError) -> None:
        self.pane.picture.failed(request, error)

    def _state(self, state: CaseState) -> None:
        if self._was_open and state is not CaseState.OPEN:
            self._clear()
        self._was_open = state is CaseState.OPEN
        self.sidebar.show_state(state)
        self.changed.emit()

    def _clear(self) -> None:
        """Takes everything of the casebook from the screen, and what was copied from it."""
        self.contents, self.alikes = None, LookAlikes()
        self._item_id = self._incident_id = self._compared = None
        self.sidebar.clear()
        self.pane.clear()
        self.item_shown.emit(False)
        for dialog in self._dialogs:
            # A form that is just opening a casebook stays, to say when that does not work.
            opening = isValid(dialog) and isinstance(dialog, Unlock | NewPassphrase) and not dialog.save.isEnabled()
            if isValid(dialog) and not opening:
                dialog.hide()
                dialog.deleteLater()
        self.pairs = self.sightings = None
        if self.packets is not None:
            self.packets.forget()
        self.forget_clipboard.emit()

    def _save_what_is_written(self) -> None:
        """A lock does not throw away what somebody has begun to write down."""
        for dialog in self._dialogs:
            if isValid(dialog) and isinstance(dialog, Kept) and dialog.unsaved():
                self._cases.ask(dialog.job())

    def _failed(self, error: CounterproofError) -> None:
        self.say(error.message, error.remedy)

    def _show(self, dialog: QWidget) -> None:
        self._dialogs = [d for d in self._dialogs if isValid(d)]
        self._dialogs.append(dialog)
        self._show_dialog(dialog)

    def _run(self, form: CaseForm, then: Callable[[Any], None]) -> None:
        """Shows a form; at Save does its job, and closes it only when that is done."""

        def saved(value: Any) -> None:
            _accept(form)
            then(value)

        form.wanted.connect(lambda: self._cases.ask(form.job(), saved, partial(_again, form)))
        self._show(form)

    def _written(self, _value: Any = None) -> None:
        self.said.emit(translate("case", "Saved in the casebook."))
        self.reload()

    def _with_packets(self, then: Callable[[PacketDesk], None]) -> None:
        """Calls `then` with what can be done with requests. It is loaded when it is first asked for, away from here."""
        if self.packets is not None:
            then(self.packets)
            return

        def loaded(kind: type[PacketDesk]) -> None:
            if self.packets is None:
                self.packets = desk = kind(self._window, self._session, self._cases, self._worker, self._show)
                desk.said.connect(self.said)
                desk.copied.connect(self.copied)
                desk.changed.connect(self._changed)
                desk.maybe_minor.connect(lambda: self.where_to_turn())
                desk.edit_wanted.connect(self.edit_request)
                desk.failed.connect(self._failed)
            then(self.packets)

        self._worker.ask(_packet_desk, loaded, self._failed)

    def _changed(self) -> None:
        """Requests were written down or changed."""
        if self.is_open:
            self.reload()

    def _is_draft(self, request_id: int) -> bool:
        requests = () if self.contents is None else self.contents.requests
        return any(r.id == request_id and r.state is RequestState.DRAFT for r in requests)

    def _prepare_for_item(self) -> None:
        _, item = self._where()
        if item is not None:
            self.prepare_request(item_ids=[item.id])

    def _deleted(self, _value: Any = None) -> None:
        self.unchoose()
        self.reload()

    def _ask_path(
        self, title: str, then: Callable[[str], None], *, save: bool = False, kind: tuple[str, str] | None = None
    ) -> None:
        """`kind`: name and suffix of the files, a casebook's where it is not given."""
        name, suffix = kind or (translate("case", "Casebooks"), SUFFIX)
        dialog = QFileDialog(self._window, title)
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setNameFilters([f"{name} (*.{suffix})", f"{translate('case', 'All files')} (*)"])
        if save:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setFileMode(QFileDialog.FileMode.AnyFile)
            dialog.setDefaultSuffix(suffix)
            # Nothing is ever overwritten, so there is nothing to confirm: the casebook says that something is there.
            dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(then)
        self._show_dialog(dialog)

    def _new_at(self, path: str, then: Callable[[], None] | None = None) -> None:
        form = NewPassphrase(self._window, for_new=True)

        def submit() -> None:
            actor = "" if form.actor is None else form.actor.text().strip()
            self._cases.create(path, form.first.text(), actor, made, partial(_again, form))

        def made(code: str) -> None:
            _accept(form)
            self._show_code(code, lambda: self.new_incident(then))
            self.reload()

        form.wanted.connect(submit)
        self._show(form)

    def _opened(self, form: Unlock, notices: Sequence[str]) -> None:
        _accept(form)
        self.reload()
        said = list(notices)
        if form.by_code.isChecked():
            said.append(
                translate(
                    "case", "To choose a new passphrase: File > Change passphrase. It takes the recovery code too."
                )
            )
        if said:
            self.say("\n\n".join(said))

    def _show_code(self, code: str, then: Callable[[], None] | None = None) -> None:
        dialog = RecoveryCode(self._window, code)
        dialog.copied.connect(self.copied)
        if then is not None:
            dialog.accepted.connect(then)
        self._show(dialog)

    def _loaded(self, contents: Contents) -> None:
        self.contents = contents
        self._incident_id = None if contents.incident is None else contents.incident.id
        self.sidebar.show_contents(contents, datetime.date.today())
        if self._item_id is None:
            self.sidebar.unchoose()
        self._compare()

    def _compare(self) -> None:
        """Groups the case's items, where they are others than before; otherwise shows what is known."""
        contents, incident_id = self.contents, self._incident_id
        if contents is None or incident_id is None:
            return
        now = (incident_id, [(i.id, i.label, i.has_image) for i in contents.items])
        if now == self._compared:
            self.sidebar.show_groups(self.alikes)
            return

        def done(found: LookAlikes) -> None:
            self.alikes, self._compared = found, now
            self.sidebar.show_groups(found)
            if self.pairs is not None and isValid(self.pairs):
                self.pairs.show_found(found)

        self._cases.ask(lambda book: case_view.load_alikes(book, incident_id), done)

    def _marked(self, pair: Pair, wrong: bool) -> None:
        a, b = int(pair.a.key), int(pair.b.key)

        def done(_value: Any) -> None:
            self._compared = None
            self._compare()

        self._cases.ask(lambda book: book.not_a_match(a, b, wrong), done)

    def _incident_chosen(self, incident_id: int) -> None:
        self._incident_id = incident_id
        self.unchoose()
        self.reload()

    def _chosen(self, item_id: int | None) -> None:
        if item_id == self._item_id:
            return
        self._item_id = item_id
        if item_id is None:
            self.pane.clear()
            self.item_shown.emit(False)
        else:
            self._cases.ask(lambda book: case_view.load_item(book, item_id, look=True), self._show_item)

    def _show_item(self, contents: ItemContents) -> None:
        if contents.item.id == self._item_id:
            self.pane.show_item(contents)
            self.item_shown.emit(True)

    def _refresh_sightings(self, chosen: int | None = None) -> None:
        """Reads anew what the window with the sightings shows, where it is open."""
        window, item_id, incident_id = self.sightings, self._sightings_of, self._incident_id
        if window is None or not isValid(window) or incident_id is None:
            return

        def find(book: Book) -> list[Sighting]:
            return [s for s in book.sightings(incident_id=incident_id) if s.item_id == item_id]

        def show(found: list[Sighting]) -> None:
            if isValid(window):
                window.show_sightings(found, chosen)

        self._cases.ask(find, show)

    def _ask_picture(self, then: Callable[[str], None]) -> None:
        dialog = QFileDialog(self._window, translate("screenshot", "Attach a screenshot"))
        # The system's own dialogs draw clear thumbnails and remember what was opened; Qt's does neither here.
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(then)
        self._show(dialog)

    def _attach(self, sighting_id: int, path: str, adults: Adults) -> None:
        """Says what it means; at Save the file is read, and kept encrypted with its sighting."""
        form = ScreenshotForm(self._window, os.path.basename(path))

        def gathered(kept: tuple[bytes, str, bytes]) -> None:
            # By the form: another casebook may have been opened meanwhile, and has other sightings.
            if isValid(form) and form.isVisible():
                self._cases.ask(lambda book: book.keep_screenshot(sighting_id, *kept), done, partial(_again, form))

        def done(_value: Any) -> None:
            _accept(form)
            self._written()

        def gather() -> None:
            again = partial(_again, form)
            self._session.fetch(lambda engine: gather_screenshot(engine, path, adults), gathered, again)

        form.wanted.connect(gather)
        self._show(form)

    def _where(self) -> tuple[int | None, Item | None]:
        """The incident, and the item that is chosen."""
        item = None if self.pane.contents is None else self.pane.contents.item
        return (self._incident_id if self.is_open else None), item

    def _edit_request(self, found: tuple[Any, Any]) -> None:
        request, answers = found
        items = [] if self.contents is None else [i for i in self.contents.items if i.id in request.item_ids]
        form = RequestForm(self._window, request.incident_id, items, request, answers)

        def answered(_value: Any) -> None:
            def show(now: tuple[Any, Any]) -> None:
                if isValid(form):
                    form.state.setCurrentIndex(form.state.findData(now[0].state))
                    form.show_answers(now[1])

            self._cases.ask(lambda book: (book.request(request.id), book.answers(request.id)), show)
            self.reload()

        form.answer_wanted.connect(lambda: self._run(AnswerForm(self._window, request), answered))
        self._run(form, self._written)

    def _kept(self, view: Any, kind: str, request: Request, longest: int) -> None:
        """Pixels of an item's kept image or a sighting's screenshot: the thumbnail while blurred, else the image, and
        the log records that."""
        row_id = int(request.source)

        def job(book: Book) -> bytes | None:
            if kind == "item":
                blurred, clear = book.thumbnail, book.image_to_reveal
            else:
                blurred, clear = book.screenshot_thumbnail, book.screenshot_to_reveal
            data: bytes | None = blurred(row_id) if request.blurred else clear(row_id)
            return data

        def show(data: bytes | None) -> None:
            if data is not None:
                self._session.preview(request, longest, data)

        def failed(error: CounterproofError) -> None:
            if isValid(view):
                view.failed(request, error)

        self._cases.ask(job, show, failed)

    def _add_next(self, dialog: AddFiles, adults: Adults) -> None:
        """The next file of the dialog into the casebook; each is saved before the next one is opened."""
        if not isValid(dialog) or not self.is_open:
            return
        row, incident_id = dialog.next_row(), self._incident_id
        report = None if row is None else row.report
        if row is None or report is None or incident_id is None:
            dialog.ended()
            self._written()
            return
        label, description, keep = dialog.label(row), dialog.words_on_it(), dialog.keep.isChecked()

        def failed(error: CounterproofError) -> None:
            if isValid(dialog):
                dialog.not_added(f"{error.message} {error.remedy}")
                self._add_next(dialog, adults)

        def gathered(new: NewItem) -> None:
            if self.is_open and self._incident_id == incident_id:
                self._cases.ask(lambda book: _add(book, incident_id, new), added, failed)

        def added(was_there: bool) -> None:
            if isValid(dialog):
                dialog.added(already=was_there)
                self._add_next(dialog, adults)

        self._session.fetch(lambda engine: gather(engine, report, label, description, keep, adults), gathered, failed)


def _add(book: Book, incident_id: int, new: NewItem) -> bool:
    """Adds an item unless its bytes are in the incident already; whether they were."""
    if any(i.incident_id == incident_id for i in book.find_items(new.report.sha256)):
        return True
    book.add_items(incident_id, [new])
    return False


def _helplines() -> Sequence[Helpline]:
    """All help lines, with those that were imported by hand. Runs in the worker's thread."""
    from desktop.window import packet_jobs

    return list(packet_jobs.facts().helplines.values())


def _packet_desk() -> type[PacketDesk]:
    from desktop.window.packet_desk import PacketDesk

    return PacketDesk


def _about(item: Item | None) -> str:
    if item is None:
        return translate("case", "On the incident as a whole.")
    return translate("case", "On “{name}”.").format(name=case_view.item_name(item))


def _accept(form: QDialog) -> None:
    if isValid(form):
        form.accept()


def _again(form: CaseForm, error: CounterproofError) -> None:
    """It was not saved: the form says why, and keeps what was typed."""
    if not isValid(form):
        return
    if isinstance(form, Unlock | NewPassphrase):
        form.try_again(error)
    else:
        form.show_problem(error)
