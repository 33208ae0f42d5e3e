"""The casebook's dialogs: its passphrase and recovery code, and the forms for what it records."""

from __future__ import annotations

import datetime
import getpass
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.casebook.records import (
    Answer,
    Consent,
    Contact,
    Incident,
    Item,
    Request,
    RequestState,
    Sighting,
    Verification,
)
from desktop.safety import passphrase as passphrases
from desktop.window import case_view, words
from desktop.window.case_forms import CaseForm, DayField, Job, MomentField
from desktop.window.case_runner import Book
from desktop.window.dialogs import closing, countries, fit, plain
from desktop.window.words import translate

HOW = (
    ("on_screen", "I saw it on the screen"),
    ("screenshot", "Screenshot"),
    ("saved_page", "Saved page"),
    ("told", "Somebody told me"),
)


# So many items are named; the others are counted.
_ALIKE_NAMED = 5


class _Secret(CaseForm):
    """A form with passphrases, which are hidden until a box is ticked."""

    def __init__(self, parent: QWidget, title: str, intro: str, save: str) -> None:
        super().__init__(parent, title, intro, save)
        self.secrets: list[QLineEdit] = []
        self.shown = QCheckBox(translate("passphrase", "Sho&w what I type"), self)
        self.shown.toggled.connect(self._show)

    def secret(self, label: str) -> QLineEdit:
        """A field whose text is hidden, and which the input method does not remember."""
        field = self.line(label)
        field.setEchoMode(QLineEdit.EchoMode.Password)
        field.setInputMethodHints(
            Qt.InputMethodHint.ImhHiddenText
            | Qt.InputMethodHint.ImhSensitiveData
            | Qt.InputMethodHint.ImhNoPredictiveText
            | Qt.InputMethodHint.ImhNoAutoUppercase
        )
        self.secrets.append(field)
        return field

    def busy(self, busy: bool) -> None:
        super().busy(busy)
        if busy:
            # The key is made slowly on purpose, so that nobody can try passphrases quickly.
            self.problem_text.setText(translate("passphrase", "This takes a moment…"))
            self.problem_text.show()

    def done(self, result: int) -> None:
        for field in self.secrets:
            field.clear()
        super().done(result)

    def _show(self, shown: bool) -> None:
        for field in self.secrets:
            field.setEchoMode(QLineEdit.EchoMode.Normal if shown else QLineEdit.EchoMode.Password)


class NewPassphrase(_Secret):
    """Chooses a passphrase, twice the same: for a new casebook (then also a name for the log) or in place of one."""

    def __init__(self, parent: QWidget, *, for_new: bool) -> None:
        if for_new:
            title, save = translate("passphrase", "New casebook"), translate("passphrase", "&Make the casebook")
            intro = translate(
                "passphrase",
                "The casebook is one encrypted file. Whoever has its passphrase can read it, and nobody can without.",
            )
        else:
            title, save = translate("passphrase", "Change passphrase"), translate("passphrase", "C&hange it")
            intro = translate(
                "passphrase",
                "The casebook is encrypted anew. The old passphrase and the old recovery code then open nothing more, "
                "except older backups.",
            )
        super().__init__(parent, title, f"{intro}\n\n{translate('passphrase', passphrases.ADVICE)}", save)
        self.present: QLineEdit | None = None
        if not for_new:
            self.present = self.secret(translate("passphrase", "P&resent passphrase, or recovery code:"))
        name = translate("passphrase", "&Passphrase:") if for_new else translate("passphrase", "New &passphrase:")
        self.first = self.secret(name)
        self.second = self.secret(translate("passphrase", "The same &again:"))
        self.form.addRow("", self.shown)
        self.actor: QLineEdit | None = None
        if for_new:
            self.actor = self.line(
                translate("passphrase", "&Your name:"), _login(), translate("passphrase", "As the custody log shows it")
            )
        (self.present or self.first).setFocus()
        fit(self, self.body, 520)

    def missing(self) -> str:
        if self.present is not None and not self.present.text():
            self.present.setFocus()
            return translate("passphrase", "Please type the present passphrase first, or the recovery code.")
        first, second = self.first.text(), self.second.text()
        if why := passphrases.weakness(first):
            self.first.setFocus()
            return translate("passphrase", why)
        if first != second:
            self.second.setFocus()
            self.second.selectAll()
            return translate("passphrase", "The two are not the same. Please type the second one again.")
        if self.actor is not None and not self.actor.text().strip():
            self.actor.setFocus()
            return translate("passphrase", "Please write a name, so that the custody log can say who did what.")
        return ""

    def try_again(self, problem: Any) -> None:
        """It was not changed: says why, and where it was the present passphrase, the field is ready for another."""
        if problem.code == "wrong_passphrase" and self.present is not None:
            problem = translate(
                "passphrase", "That is neither the present passphrase nor the recovery code. Nothing was changed."
            )
            self.present.setFocus()
            self.present.selectAll()
        self.show_problem(problem)


class Unlock(_Secret):
    """Asks for the passphrase of a casebook, or for its recovery code."""

    def __init__(self, parent: QWidget, name: str, actor: str = "") -> None:
        intro = translate("passphrase", "To open {name}, type its passphrase.").format(name=words.visible(name))
        super().__init__(parent, translate("passphrase", "Open casebook"), intro, translate("passphrase", "&Open"))
        self.word = self.secret(translate("passphrase", "&Passphrase:"))
        self.form.addRow("", self.shown)
        self.by_code = QCheckBox(translate("passphrase", "I have lost it and use the &recovery code"), self)
        self.by_code.toggled.connect(self._by_code)
        self.form.addRow("", self.by_code)
        self.actor = self.line(
            translate("passphrase", "&Your name:"),
            actor or _login(),
            translate("passphrase", "As the custody log shows it"),
        )
        self.word.setFocus()
        fit(self, self.body, 480)

    def missing(self) -> str:
        if not self.word.text():
            return translate("passphrase", "Please type it first.")
        if not self.actor.text().strip():
            return translate("passphrase", "Please write a name, so that the custody log can say who did what.")
        return ""

    def try_again(self, problem: Any) -> None:
        """It did not open: says so calmly, and the field is ready for the next try."""
        if problem.code == "wrong_passphrase":
            problem = translate("passphrase", "That passphrase does not open this casebook. You can try again.")
        self.show_problem(problem)
        self.word.setFocus()
        self.word.selectAll()

    def _by_code(self, by_code: bool) -> None:
        label = self.form.labelForField(self.word)
        text = translate("passphrase", "R&ecovery code:") if by_code else translate("passphrase", "&Passphrase:")
        label.setText(text)  # type: ignore[attr-defined]
        self.word.setAccessibleName(text.replace("&", "").rstrip(":"))
        self.word.clear()
        self.word.setFocus()


class RecoveryCode(QDialog):
    """Shows the recovery code, once. It closes when somebody says that it is written down."""

    copied = Signal(str)

    def __init__(self, parent: QWidget, code: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("passphrase", "Recovery code"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(
            plain(
                translate(
                    "passphrase",
                    "If the passphrase is ever lost, this code opens the casebook. It is shown only now. "
                    "Write it on paper and keep it where nobody else finds it, away from this computer.",
                ),
                self,
            )
        )
        self.code = QPlainTextEdit(code, self)
        self.code.setReadOnly(True)
        self.code.setTabChangesFocus(True)
        self.code.setAccessibleName(translate("passphrase", "Recovery code"))
        font = self.code.font()
        font.setFamily("monospace")
        font.setStyleHint(font.StyleHint.Monospace)
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.code.setFont(font)
        self.code.setFixedHeight(self.code.fontMetrics().lineSpacing() * 4 + 14)
        layout.addWidget(self.code)
        copy = QPushButton(translate("passphrase", "&Copy"), self)
        copy.setAccessibleDescription(
            translate("passphrase", "Other programs can read what is copied; it is cleared when the casebook locks")
        )
        copy.clicked.connect(lambda: self.copied.emit(self.code.toPlainText()))
        self.written = QCheckBox(translate("passphrase", "I have &written it down"), self)
        self.close_button = QPushButton(translate("passphrase", "C&lose"), self)
        self.close_button.setEnabled(False)
        self.written.toggled.connect(self.close_button.setEnabled)
        self.close_button.clicked.connect(self.accept)
        self.note = plain("", self)
        self.note.hide()
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(self.close_button)
        layout.addWidget(self.written)
        layout.addWidget(self.note)
        layout.addLayout(row)
        fit(self, layout, 520)

    def reject(self) -> None:
        """Esc and the window's cross do not lose the code by accident."""
        if self.written.isChecked():
            self.accept()
            return
        self.note.setText(
            translate("passphrase", "The code cannot be shown again. Tick the box once you have written it down.")
        )
        self.note.show()

    def done(self, result: int) -> None:
        self.code.clear()
        super().done(result)


class IncidentForm(CaseForm):
    """What happened, in her words: a new incident, or an existing one with who may act for her."""

    consent_wanted = Signal()
    withdrawn = Signal(int)

    def __init__(self, parent: QWidget, incident: Incident | None = None, consents: Sequence[Consent] = ()) -> None:
        new = incident is None
        title = translate("incident", "New incident") if new else translate("incident", "The incident")
        intro = translate("incident", "Write as much or as little as you like. You can change it at any time.")
        super().__init__(parent, title, intro)
        self._incident = incident
        self.title = self.line(
            translate("incident", "&Name:"),
            "" if incident is None else incident.title,
            translate("incident", "A name by which you know it"),
        )
        self.depicted = self.text(
            translate("incident", "&Who is in the pictures:"),
            "" if incident is None else incident.depicted,
            translate("incident", "In her own words"),
            3,
        )
        self.wanted_text = self.text(
            translate("incident", "What is wan&ted:"),
            "" if incident is None else incident.wanted,
            translate("incident", "For example: taken down everywhere, and an apology"),
            3,
        )
        self.country = countries(self, "" if incident is None else incident.country)
        self.row(
            translate("incident", "&Country:"), self.country, translate("incident", "For the law, and for who can help")
        )
        if incident is not None:
            self._add_consents(consents)
        fit(self, self.body, 520)

    def missing(self) -> str:
        return "" if self.title.text().strip() else translate("incident", "Please give it a name; any will do.")

    def worth_keeping(self) -> bool:
        return bool(self.title.text().strip())

    def job(self) -> Job:
        fields = {
            "title": self.title.text().strip(),
            "depicted": self.depicted.toPlainText().strip(),
            "wanted": self.wanted_text.toPlainText().strip(),
            "country": self.country.currentData() or "",
        }
        incident = self._incident
        if incident is None:
            return lambda book: book.add_incident(fields.pop("title"), **fields)
        return lambda book: book.update_incident(incident.id, **fields)

    def show_consents(self, consents: Sequence[Consent]) -> None:
        """Who may act for her, as recorded now."""
        self.consents.clear()
        for consent in consents:
            said = f"{words.visible(consent.who)}, {words.visible(consent.role)}" if consent.role else consent.who
            if consent.withdrawn_at is not None:
                said = translate("incident", "{who} (withdrawn)").format(who=said)
            entry = QListWidgetItem(words.visible(said), self.consents)
            entry.setData(Qt.ItemDataRole.UserRole, None if consent.withdrawn_at else consent.id)
        self._consent_chosen()

    def _add_consents(self, consents: Sequence[Consent]) -> None:
        self.consents = QListWidget(self)
        self.consents.setTabKeyNavigation(False)
        self.consents.setFixedHeight(self.fontMetrics().lineSpacing() * 3 + 14)
        self.row(translate("incident", "Who &may act for her:"), self.consents)
        add = QPushButton(translate("incident", "&Add a person…"), self)
        self.withdraw = QPushButton(translate("incident", "Wit&hdraw"), self)
        self.withdraw.setAccessibleDescription(
            translate("incident", "Records that the chosen person may not act for her any more")
        )
        for button in (add, self.withdraw):
            button.setAutoDefault(False)
        add.clicked.connect(self.consent_wanted)
        self.withdraw.clicked.connect(self._withdraw)
        self.consents.currentRowChanged.connect(lambda _row: self._consent_chosen())
        row = QHBoxLayout()
        row.addWidget(add)
        row.addWidget(self.withdraw)
        row.addStretch(1)
        self.form.addRow("", row)
        self.show_consents(consents)

    def _chosen(self) -> int | None:
        entry = self.consents.currentItem()
        consent: int | None = None if entry is None else entry.data(Qt.ItemDataRole.UserRole)
        return consent

    def _consent_chosen(self) -> None:
        self.withdraw.setEnabled(self._chosen() is not None)

    def _withdraw(self) -> None:
        if (consent := self._chosen()) is not None:
            self.withdrawn.emit(consent)


class ConsentForm(CaseForm):
    """Who may act for her, and on what written authority."""

    def __init__(self, parent: QWidget, incident_id: int) -> None:
        intro = translate(
            "consent",
            "Copying or sending such pictures can itself be an offence unless the depicted person agrees. "
            "Record who may act, for what, and what the depicted person signed.",
        )
        super().__init__(parent, translate("consent", "Who else may act"), intro)
        self._incident_id = incident_id
        self.who = self.line(translate("consent", "&Who:"))
        self.role = self.line(translate("consent", "In what &role:"), "", translate("consent", "For example: lawyer"))
        self.scope = self.line(
            translate("consent", "&For what:"), "", translate("consent", "For example: requests to platforms")
        )
        self.authority = self.text(
            translate("consent", "Written &authority:"),
            "",
            translate("consent", "What was signed, when, and where it is kept"),
            3,
        )
        fit(self, self.body, 500)

    def missing(self) -> str:
        return "" if self.who.text().strip() else translate("consent", "Please write who it is.")

    def worth_keeping(self) -> bool:
        return bool(self.who.text().strip())

    def job(self) -> Job:
        who, incident_id = self.who.text().strip(), self._incident_id
        more = {
            "role": self.role.text().strip(),
            "scope": self.scope.text().strip(),
            "authority": self.authority.toPlainText().strip(),
        }
        return lambda book: book.add_consent(incident_id, who, **more)


class WordsForm(CaseForm):
    """One text: a note, or a description."""

    def __init__(self, parent: QWidget, title: str, intro: str, text: str, make: Callable[[str], Job]) -> None:
        super().__init__(parent, title, intro)
        self._make = make
        self.words = self.text(translate("form", "&Text:"), text, lines=7)
        self.words.setFocus()
        fit(self, self.body, 500)

    def missing(self) -> str:
        return "" if self.words.toPlainText().strip() else translate("form", "There is nothing to save yet.")

    def worth_keeping(self) -> bool:
        return bool(self.words.toPlainText().strip())

    def job(self) -> Job:
        return self._make(self.words.toPlainText().strip())


class SightingForm(CaseForm):
    """Where something was seen. For pictures that may show someone under 18 it is text alone, without a picture."""

    def __init__(
        self, parent: QWidget, incident_id: int, item: Item | None, actor: str, *, maybe_minor: bool = False
    ) -> None:
        if maybe_minor:
            intro = translate(
                "sighting",
                "Only these words are recorded: no picture, no fingerprint, no screenshot. "
                "They are what a hotline or the police will ask for.",
            )
        else:
            intro = translate("sighting", "Where you saw it. What you do not know can stay empty.")
        super().__init__(parent, translate("sighting", "Add a sighting"), intro)
        self._incident_id, self._item, self._maybe_minor = incident_id, item, maybe_minor
        self.url = self.line(translate("sighting", "&Address (URL):"))
        self.platform = self.line(
            translate("sighting", "&Platform:"), "", translate("sighting", "For example: Telegram")
        )
        self.handle = self.line(translate("sighting", "A&ccount:"), "", translate("sighting", "Who posted it"))
        name = translate("sighting", "Seen &on:")
        self.seen = MomentField(self, name.replace("&", "").rstrip(":"))
        self.row(name, self.seen)
        self.how = QComboBox(self)
        for code, text in HOW:
            self.how.addItem(translate("sighting", text), code)
        self.how.setEditable(True)
        self.row(translate("sighting", "&How:"), self.how)
        self.by = self.line(translate("sighting", "&By whom:"), actor)
        self.note = self.text(translate("sighting", "&Note:"), lines=2)
        self.url.setFocus()
        fit(self, self.body, 540)

    def missing(self) -> str:
        if not (self.url.text().strip() or self.platform.text().strip() or self.handle.text().strip()):
            return translate("sighting", "Please write where it was: an address, a platform or an account.")
        if self.seen.value() is None:
            return translate(
                "sighting", "This time zone is not known. Choose one from the list, such as Africa/Nairobi."
            )
        return ""

    def worth_keeping(self) -> bool:
        return bool(self.url.text().strip())

    def job(self) -> Job:
        seen = self.seen.value()
        url, incident_id = self.url.text().strip(), self._incident_id
        fields: dict[str, Any] = {
            "item_id": None if self._item is None or self._maybe_minor else self._item.id,
            "platform": self.platform.text().strip(),
            "handle": self.handle.text().strip(),
            "captured_how": self.how.currentText().strip(),
            "captured_by": self.by.text().strip(),
            "note": self.note.toPlainText().strip(),
            "maybe_minor": self._maybe_minor,
        }
        if seen is not None:
            fields["seen_at"], fields["time_zone"] = seen
        return lambda book: book.add_sighting(incident_id, url, **fields)


class RequestForm(CaseForm):
    """A request: to whom, on what legal basis, when it was sent, and when their answer is due."""

    answer_wanted = Signal()

    def __init__(
        self,
        parent: QWidget,
        incident_id: int,
        items: Sequence[Item],
        request: Request | None = None,
        answers: Sequence[Answer] = (),
    ) -> None:
        title = translate("request", "Add a request") if request is None else translate("request", "The request")
        about = ", ".join(case_view.item_name(i) for i in items) or translate("request", "the incident as a whole")
        super().__init__(parent, title, translate("request", "About: {items}").format(items=about))
        self._incident_id, self._items, self.request = incident_id, items, request
        today = datetime.date.today()
        self.recipient = self.line(translate("request", "&To whom:"), "" if request is None else request.recipient)
        self.basis = self.line(
            translate("request", "&Legal basis:"),
            "" if request is None else request.legal_basis,
            translate("request", "In words, for example: Digital Services Act, article 16"),
        )
        # What a request says and to whom does not change once it is recorded.
        for field in (self.recipient, self.basis):
            field.setReadOnly(request is not None)
        channels = [translate("request", t) for t in ("Web form", "E-mail", "Letter", "In person")]
        self.channel = self.choice(
            translate("request", "C&hannel:"), channels, "" if request is None else request.channel
        )
        self.state = QComboBox(self)
        for state in RequestState:
            self.state.addItem(case_view.state_word(state), state)
        if request is not None:
            self.state.setCurrentIndex(self.state.findData(request.state))
        self.row(translate("request", "Stat&e:"), self.state)
        self.sent = self._day(translate("request", "Sent:"), None if request is None else request.sent_at, today)
        self.reference = self.line(
            translate("request", "Reference &number:"), "" if request is None else request.reference
        )
        later = today + datetime.timedelta(days=14)
        self.due = self._day(translate("request", "Answer due:"), None if request is None else request.due_at, later)
        if request is None:
            self.sent.known.toggled.connect(self._sent)
        else:
            self._add_answers(answers)
        fit(self, self.body, 520)

    def missing(self) -> str:
        return "" if self.recipient.text().strip() else translate("request", "Please write to whom it goes.")

    def worth_keeping(self) -> bool:
        return bool(self.recipient.text().strip())

    def job(self) -> Job:
        recipient, incident_id, request = self.recipient.text().strip(), self._incident_id, self.request
        sent, due = self.sent.value(), self.due.value()
        fields: dict[str, Any] = {
            "channel": self.channel.currentText().strip(),
            "reference": self.reference.text().strip(),
            "state": RequestState(self.state.currentData()),
        }
        if request is not None:
            return lambda book: book.update_request(request.id, sent_at=sent or "", due_at=due or "", **fields)
        fields |= {"item_ids": [i.id for i in self._items], "legal_basis": self.basis.text().strip()}
        return lambda book: book.add_request(incident_id, recipient, sent_at=sent, due_at=due, **fields)

    def show_answers(self, answers: Sequence[Answer]) -> None:
        """The answers, as recorded now."""
        self.answers.clear()
        self.answers.addItems([case_view.answer_line(a) for a in answers])
        if not answers:
            self.answers.addItem(translate("request", "No answer yet."))

    def _day(self, label: str, at: str | None, suggested: datetime.date) -> DayField:
        field = DayField(self, label.rstrip(":"), case_view.local_day(at) if at else None, suggested, at or "")
        self.row(label, field)
        return field

    def _sent(self, sent: bool) -> None:
        """A request with a day on which it was sent is no draft."""
        state = RequestState(self.state.currentData())
        if sent and state is RequestState.DRAFT:
            self.state.setCurrentIndex(self.state.findData(RequestState.SENT))

    def _add_answers(self, answers: Sequence[Answer]) -> None:
        self.answers = QListWidget(self)
        self.answers.setTabKeyNavigation(False)
        self.answers.setWordWrap(True)
        self.answers.setFixedHeight(self.fontMetrics().lineSpacing() * 3 + 14)
        self.row(translate("request", "Ans&wers:"), self.answers)
        add = QPushButton(translate("request", "&Add an answer…"), self)
        add.setAutoDefault(False)
        add.clicked.connect(self.answer_wanted)
        row = QHBoxLayout()
        row.addWidget(add)
        row.addStretch(1)
        self.form.addRow("", row)
        self.show_answers(answers)


class AnswerForm(CaseForm):
    """What they answered."""

    def __init__(self, parent: QWidget, request: Request) -> None:
        intro = translate("request", "From {name}").format(name=words.visible(request.recipient))
        super().__init__(parent, translate("request", "Add an answer"), intro)
        self._request = request
        self.at = DayField(self, translate("request", "Came"), datetime.date.today(), datetime.date.today())
        self.row(translate("request", "Came:"), self.at)
        outcomes = ("Taken down", "Received, still to be decided", "Refused", "Asked for more", "Taken down in part")
        self.outcome = self.choice(translate("request", "&Outcome:"), [translate("request", o) for o in outcomes])
        self.words = self.text(translate("request", "In their &words:"), lines=4)
        self.state = QComboBox(self)
        for state in RequestState:
            if state is not RequestState.DRAFT:
                self.state.addItem(case_view.state_word(state), state)
        self.state.setCurrentIndex(self.state.findData(RequestState.ANSWERED))
        self.row(translate("request", "The request is n&ow:"), self.state)
        fit(self, self.body, 500)

    def missing(self) -> str:
        return "" if self.outcome.currentText().strip() else translate("request", "Please write what came of it.")

    def worth_keeping(self) -> bool:
        return bool(self.outcome.currentText().strip())

    def job(self) -> Job:
        request_id, outcome, text = (
            self._request.id,
            self.outcome.currentText().strip(),
            self.words.toPlainText().strip(),
        )
        at, state = self.at.value() or "", RequestState(self.state.currentData())
        return lambda book: book.add_answer(request_id, outcome, text, at=at, state=state)


class _Deletion(CaseForm):
    """Asks once, and says what goes and what remains. Enter does not delete."""

    def __init__(self, parent: QWidget, title: str, text: str) -> None:
        super().__init__(parent, title, text, translate("delete", "&Delete it"))
        self.save.setDefault(False)
        self.save.setAutoDefault(False)
        cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setDefault(True)
        cancel.setFocus()
        fit(self, self.body, 500)


class DeleteItem(_Deletion):
    """Deletes an item with all that is about it alone."""

    def __init__(self, parent: QWidget, item: Item) -> None:
        text = translate(
            "delete",
            "“{name}” is deleted with its fingerprints, findings, notes, sightings and, if one was kept, its image. "
            "This cannot be undone.\n\n"
            "What remains: that an item was deleted, when and by whom, in the custody log, without its fingerprints or "
            "its name. Requests that were about it stay, without it. Older backups still hold it.",
        ).format(name=case_view.item_name(item))
        super().__init__(parent, translate("delete", "Delete item"), text)
        self._item = item

    def job(self) -> Job:
        item_id = self._item.id
        return lambda book: book.delete_item(item_id)


class DeleteSighting(_Deletion):
    """Deletes one sighting, and leaves its item."""

    def __init__(self, parent: QWidget, sighting: Sighting) -> None:
        text = translate(
            "delete",
            "“{name}” is deleted with its notes and, if one was kept, its screenshot. This cannot be undone.\n\n"
            "What remains: that a sighting was deleted, when and by whom, in the custody log. The item that was seen "
            "there stays, and so do requests about it. Older backups still hold the sighting.",
        ).format(name=case_view.sighting_line(sighting))
        super().__init__(parent, translate("delete", "Delete sighting"), text)
        self._sighting = sighting

    def job(self) -> Job:
        sighting_id = self._sighting.id
        return lambda book: book.delete_sighting(sighting_id)


class ScreenshotForm(CaseForm):
    """Says what keeping a screenshot means, before the file is opened."""

    def __init__(self, parent: QWidget, name: str) -> None:
        text = translate(
            "screenshot",
            "“{name}” is copied into the casebook, encrypted; the file stays where it is, unencrypted, until you "
            "delete it. Often the address and the time are enough. A screenshot that shows the picture is a copy of "
            "it: in some countries keeping one can itself be an offence, even as evidence.\n\n"
            "It is shown blurred, and each time it is shown clear goes into the custody log.",
        ).format(name=words.visible(name))
        super().__init__(
            parent, translate("screenshot", "Attach a screenshot"), text, translate("screenshot", "&Keep it, encrypted")
        )
        fit(self, self.body, 520)


class ExportForm(CaseForm):
    """Says what an export is, and asks how much of the casebook goes into it."""

    def __init__(self, parent: QWidget, incident: Incident | None) -> None:
        text = translate(
            "export",
            "Writes what the casebook holds as a JSON file, for a lawyer or for another program: incidents, items with "
            "fingerprints and findings, sightings, requests, contacts and notes, but no image.\n\n"
            "The file is not encrypted. Whoever gets it can read all of it. Keep it only as long as you need it. "
            "That it was written goes into the custody log.",
        )
        super().__init__(
            parent, translate("export", "Export as JSON"), text, translate("export", "&Choose where to write it…")
        )
        self.what = QComboBox(self)
        if incident is not None:
            only = translate("export", "Only the incident “{name}”").format(name=words.visible(incident.title))
            self.what.addItem(only, incident.id)
        self.what.addItem(translate("export", "The whole casebook, with its custody log"), None)
        self.row(translate("export", "&What:"), self.what)
        fit(self, self.body, 520)


class ContactForm(CaseForm):
    """Someone who helps or decides."""

    def __init__(self, parent: QWidget, incident_id: int) -> None:
        intro = translate("contact", "Someone who helps or decides: a lawyer, a moderator, an officer, a friend.")
        super().__init__(parent, translate("contact", "Add a contact"), intro)
        self._incident_id = incident_id
        self.name = self.line(translate("contact", "&Name:"))
        self.role = self.line(translate("contact", "&Role:"), "", translate("contact", "For example: lawyer"))
        self.address = self.line(
            translate("contact", "How to r&each them:"), "", translate("contact", "Telephone, e-mail or address")
        )
        self.note = self.text(translate("contact", "No&te:"), lines=3)
        self.name.setFocus()
        fit(self, self.body, 500)

    def missing(self) -> str:
        return "" if self.name.text().strip() else translate("contact", "Please write who it is.")

    def worth_keeping(self) -> bool:
        return bool(self.name.text().strip())

    def job(self) -> Job:
        name, incident_id = self.name.text().strip(), self._incident_id
        more = {
            "role": self.role.text().strip(),
            "address": self.address.text().strip(),
            "note": self.note.toPlainText().strip(),
        }
        return lambda book: book.add_contact(incident_id, name, **more)


class Contacts(QDialog):
    """Who helps or decides in this incident."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("contact", "Contacts"))
        layout = QVBoxLayout(self)
        self.list = QListWidget(self)
        self.list.setAccessibleName(translate("contact", "Contacts of this incident"))
        self.list.setTabKeyNavigation(False)
        self.list.setWordWrap(True)
        self.list.setSpacing(3)
        layout.addWidget(self.list, 50)  # a Close button comes with a stretch of its own
        self.add = QPushButton(translate("contact", "&Add a contact…"), self)
        self.add.setAutoDefault(False)
        row = QHBoxLayout()
        row.addWidget(self.add)
        row.addStretch(1)
        layout.addLayout(row)
        closing(self, layout, 460)
        self.resize(460, 340)

    def show_contacts(self, contacts: Sequence[Contact]) -> None:
        """Those that are recorded now."""
        self.list.clear()
        self.list.addItems([case_view.contact_text(c) for c in contacts])
        if not contacts:
            self.list.addItem(translate("contact", "Nobody yet."))
        self.list.setCurrentRow(self.list.count() - 1)


class MaybeMinorItem(CaseForm):
    """An item of which somebody now thinks that it may show someone under 18."""

    def __init__(self, parent: QWidget, item: Item) -> None:
        text = translate(
            "delete",
            "Thank you for saying so. “{name}” is deleted with its fingerprints and, if one was kept, its image. "
            "Of its sightings the address, platform, account and time are kept, as text. This cannot be undone.",
        ).format(name=case_view.item_name(item))
        title = translate("delete", "Someone may be under 18")
        super().__init__(parent, title, text, translate("delete", "&Delete it, keep the text"))
        self._item = item
        self.save.setAutoDefault(False)
        fit(self, self.body, 500)

    def job(self) -> Job:
        item_id = self._item.id

        def job(book: Book) -> list[str]:
            from desktop.casebook.alike import alike_left

            left = alike_left(book, item_id)  # before its fingerprints are gone
            book.mark_maybe_minor(item_id)
            return [case_view.item_name(book.item(n)) for n in left]

        return job


def alike_text(names: Sequence[str]) -> str:
    """Which items look like one that was deleted because someone in it may be under 18, and are still there."""
    said = translate(
        "delete",
        "These look like it, and are still there:\n\n{names}\n\nIf someone in one of them may be under 18 too: choose "
        "it, then “Someone may be under 18…”. No picture need be looked at for this.",
    )
    shown = [f"• {words.visible(name)}" for name in names[:_ALIKE_NAMED]]
    if len(names) > _ALIKE_NAMED:
        shown.append(translate("delete", "and {n} more").format(n=len(names) - _ALIKE_NAMED))
    return said.format(names="\n".join(shown))


def verification_text(found: Verification) -> str:
    """What checking the custody log found."""
    if found.ok:
        said = translate(
            "case",
            "All {rows} rows of the custody log and every page of the file are as they were written.\n\n"
            "The log’s head, for packets: {head}",
        )
        return said.format(rows=f"{found.rows:,}", head=found.head)
    problems = "\n".join(words.visible(p) for p in found.problems)
    return translate("case", "Something is not as it was written:\n\n{problems}").format(problems=problems)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
