"""The person's own photos: from which folder, how many can be used, and that the source is looked for among them.

They are remembered while Counterproof is open, and in a casebook where somebody asks for that. They are read only after
the question about age was answered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QListWidget, QPushButton, QVBoxLayout, QWidget
from shiboken6 import isValid

from desktop.safety.age_gate import Adults
from desktop.window import words
from desktop.window.case_desk import CaseDesk
from desktop.window.case_forms import announce
from desktop.window.case_runner import Book
from desktop.window.case_session import CaseSession, CaseState
from desktop.window.dialogs import closing, fit, plain
from desktop.window.runner import Engine
from desktop.window.session import Session
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.report import Fingerprinted


@dataclass(frozen=True, slots=True)
class Photos:
    """What is compared with: where it was looked for, which photos are used, and which cannot be, each with why."""

    where: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    from_case: bool = False


class OwnPhotos(QObject):
    """One set of photos at a time. Nothing here waits: they are read in the scanning thread, between two scans."""

    changed = Signal()
    look_wanted = Signal()
    """The files that were checked already are to be checked again, with these photos."""

    def __init__(
        self,
        window: QWidget,
        session: Session,
        cases: CaseSession,
        desk: CaseDesk,
        show: Callable[[QWidget], None],
        when_adults: Callable[[Callable[[Adults], None]], None],
    ) -> None:
        """`when_adults` calls back at once, or when the question about age was answered with "all adults"."""
        super().__init__(window)
        self._window, self._session, self._cases, self._desk = window, session, cases, desk
        self._show, self._when_adults = show, when_adults
        self.photos = Photos()
        self.reading = False
        self.problem = ""
        self.checked = 0
        self.dialog: OwnPhotosDialog | None = None
        self._in_case: tuple[str, ...] = ()
        self._wish = 0
        cases.state_changed.connect(self._state)

    def open(self) -> None:
        """Shows which photos there are, and what can be done with them."""
        self.problem, self._in_case = "", ()
        self.dialog = dialog = OwnPhotosDialog(self._window)
        dialog.folder.clicked.connect(self.choose)
        dialog.from_case.clicked.connect(lambda: self.use(self._in_case, from_case=True))
        dialog.remember.clicked.connect(self.remember)
        dialog.look.clicked.connect(self._look)
        dialog.away.clicked.connect(lambda: self.use(()))
        self._tell()
        self._ask_case()
        self._show(dialog)

    def choose(self) -> None:
        """Asks for a folder."""
        dialog = QFileDialog(self._window, translate("photos", "Your own photos"))
        # The system's own dialogs draw clear thumbnails and remember what was opened; Qt's does neither here.
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.filesSelected.connect(lambda paths: self.use(tuple(p for p in paths if p)))
        self._show(dialog)

    def use(self, paths: Sequence[str], *, from_case: bool = False) -> None:
        """Compares with the photos at these paths from the next check on; with none for no paths."""
        if paths:
            self._when_adults(lambda _adults: self._use(tuple(paths), from_case))
        else:
            self._use((), False)

    def remember(self) -> None:
        """Records the photos in the open casebook, each content once; the files stay where they are."""
        used, incident_id = self.photos.used, self._incident()
        if not used or incident_id is None:
            return

        def gather(adults: Adults) -> None:
            def add(found: list[Fingerprinted]) -> None:
                if self._incident() == incident_id:
                    self._cases.ask(lambda book: remember(book, incident_id, found, adults), added, self._failed)

            self._session.fetch(lambda engine: fingerprinted(engine, used, adults), add, self._failed)

        def added(number: int) -> None:
            self.problem = translate("photos", "{n} of them are new in the casebook.").format(n=f"{number:,}")
            self._ask_case()
            self._tell()

        self._when_adults(gather)

    def idle(self) -> None:
        """Nothing runs any more: a reading that was stopped has changed nothing."""
        if self.reading:
            self.reading = False
            self._tell()

    def line(self) -> str:
        """What the status line says of them; empty when there are none."""
        if not self.photos.where:
            return ""
        said = _counted(len(self.photos.used))
        return translate("photos", "Each check also looks for the source photo among {photos}.").format(photos=said)

    def _use(self, paths: tuple[str, ...], from_case: bool) -> None:
        self._wish += 1
        wish = self._wish
        self.problem, self.reading = "", True

        def done(found: tuple[Any, Any]) -> None:
            if wish == self._wish:
                self.reading = False
                used, problems = found
                said = tuple((p.path, f"{p.error.message} {p.error.remedy}") for p in problems if p.error is not None)
                self.photos = Photos(paths, used, said, from_case and bool(paths))
                self._tell()

        def failed(error: CounterproofError) -> None:
            if wish == self._wish:
                self._failed(error)

        self._session.use_references(paths, done, failed)
        self._tell()

    def _failed(self, error: CounterproofError) -> None:
        self.reading = False
        self.problem = f"{error.message} {error.remedy}"
        if self.dialog is None or not isValid(self.dialog):
            self._desk.say(error.message, error.remedy)
        self._tell()

    def _look(self) -> None:
        if self.dialog is not None and isValid(self.dialog):
            self.dialog.accept()
        self.look_wanted.emit()

    def _incident(self) -> int | None:
        contents = self._desk.contents
        return contents.incident.id if self._desk.is_open and contents and contents.incident else None

    def _ask_case(self) -> None:
        """Which photos the open casebook names that are still where they were."""
        incident_id = self._incident()

        def known(book: Book) -> tuple[str, ...]:
            paths = dict.fromkeys(r.path for r in book.references(incident_id))
            return tuple(p for p in paths if os.path.isfile(p))

        def show(found: tuple[str, ...]) -> None:
            self._in_case = found
            self._tell()

        if incident_id is not None:
            self._cases.ask(known, show, self._failed)

    def _state(self, state: CaseState) -> None:
        """What a casebook said leaves with it."""
        if state is CaseState.OPEN:
            return
        self._in_case = ()
        if self.dialog is not None and isValid(self.dialog):
            self.dialog.close()
        if self.photos.from_case:
            self.use(())

    def _tell(self) -> None:
        self.changed.emit()
        if self.dialog is not None and isValid(self.dialog):
            incident = self._incident() is not None
            self.dialog.show_photos(
                self.photos,
                reading=self.reading,
                problem=self.problem,
                in_case=len(self._in_case),
                can_remember=incident and bool(set(self.photos.used) - set(self._in_case)),
                checked=self.checked,
            )


class OwnPhotosDialog(QDialog):
    """Which photos there are, which could not be used, and what can be done."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("photos", "Your own photos"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        intro = translate(
            "photos",
            "Many fakes are made from a real photo. Choose a folder with your own photos of the person, such as "
            "portraits and press photos: each check then looks whether the picture was made from one of them, and "
            "shows what was kept and what was replaced. The photos stay where they are, and nothing is copied.",
        )
        layout.addWidget(plain(intro, self))
        self.state = plain("", self)
        layout.addWidget(self.state)
        self.problems = QListWidget(self)
        self.problems.setWordWrap(True)
        self.problems.setTabKeyNavigation(False)
        self.problems.setAccessibleName(translate("photos", "Photos that cannot be used, and why"))
        self.problems.setFixedHeight(self.problems.fontMetrics().lineSpacing() * 7)
        layout.addWidget(self.problems)
        self.folder = self._button(layout, translate("photos", "Choose a &folder…"))
        self.from_case = self._button(layout, "")
        self.remember = self._button(layout, translate("photos", "&Remember them in the casebook"))
        self.remember.setAccessibleDescription(
            translate("photos", "Records where each photo is, and its fingerprints; not the photo itself")
        )
        self.look = self._button(layout, "")
        self.away = self._button(layout, translate("photos", "&Take them away"))
        self.away.setAccessibleDescription(translate("photos", "Checks no longer look for a source photo"))
        self._layout = layout
        closing(self, layout, 560)

    def show_photos(
        self, photos: Photos, *, reading: bool, problem: str, in_case: int, can_remember: bool, checked: int
    ) -> None:
        """Brings everything up to date. `in_case` photos are named in the casebook; `checked` files are in the list."""
        text = _described(photos)
        if reading:
            text = translate(
                "photos", "Your photos are being read. Files that are being checked just now are finished first."
            )
        elif problem:
            text = f"{problem}\n\n{text}"
        if text != self.state.text():
            self.state.setText(text)
            announce(self, text)
        self.problems.clear()
        for path, why in photos.problems:
            self.problems.addItem(f"{words.visible(os.path.basename(path))}: {words.visible(why)}")
        self.problems.setVisible(bool(photos.problems))
        self.from_case.setText(
            translate("photos", "&Use the casebook’s own ({photos})").format(photos=_counted(in_case))
        )
        self.from_case.setVisible(in_case > 0)
        self.remember.setVisible(can_remember)
        self.look.setText(translate("photos", "&Look for the source of the files already checked"))
        self.look.setVisible(bool(photos.used) and checked > 0)
        self.away.setVisible(bool(photos.where))
        for button in (self.folder, self.from_case, self.remember, self.look, self.away):
            button.setEnabled(not reading)
        fit(self, self._layout, 560)

    def _button(self, layout: QVBoxLayout, text: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setAutoDefault(False)
        layout.addWidget(button)
        return button


def fingerprinted(engine: Engine, paths: Sequence[str], adults: Adults) -> list[Fingerprinted]:  # noqa: ARG001 - without the answer to the age question nothing is gathered
    """What the casebook records of photos. Takes a while: not for Qt's thread. Raises CounterproofError when one is
    gone or cannot be read any more."""
    found = [engine.fingerprint(path) for path in paths]
    for one in found:
        if one.error is not None:
            raise one.error
    return found


def remember(book: Book, incident_id: int, found: Sequence[Fingerprinted], adults: Adults) -> int:  # noqa: ARG001 - as `fingerprinted`
    """Records photos in the casebook, each content once; how many were new. Runs in its thread."""
    there = {r.hashes.sha256 for r in book.references(incident_id) if r.hashes}
    new = 0
    for one in found:
        if one.hashes is not None and one.hashes.sha256 not in there:
            there.add(one.hashes.sha256)
            path, name = os.path.abspath(one.path), os.path.basename(one.path)
            book.add_reference(incident_id, path, label=name, hashes=one.hashes, views=one.views)
            new += 1
    return new


def _described(photos: Photos) -> str:
    if not photos.where:
        return translate("photos", "No photos are chosen.")
    if photos.from_case:
        where = translate("photos", "the casebook")
    else:
        where = ", ".join(words.visible(p) for p in photos.where)
    said = translate("photos", "{photos} from {where}.").format(photos=_counted(len(photos.used)), where=where)
    if photos.problems:
        number = len(photos.problems)
        more = translate("photos", "{n} files there cannot be used:").format(n=f"{number:,}")
        said += f" {translate('photos', 'One file there cannot be used:') if number == 1 else more}"
    return said


def _counted(number: int) -> str:
    return translate("photos", "1 photo") if number == 1 else translate("photos", "{n} photos").format(n=f"{number:,}")
