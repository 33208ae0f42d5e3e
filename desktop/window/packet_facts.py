"""The laws and platforms that requests rest on, each with where it was read, when, and what to check; and newer "
"ones."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.safety.helplines import Confidence
from desktop.window import case_view, describe, words
from desktop.window.case_forms import announce
from desktop.window.describe import Section
from desktop.window.detail_pane import WordsView
from desktop.window.dialogs import closing, plain
from desktop.window.packet_questions import element_name
from desktop.window.words import translate

if TYPE_CHECKING:
    from desktop.packets.facts import Law, Platform
    from desktop.packets.facts_import import Difference


class FactsWindow(QDialog):
    """Shows what it is given. `import_wanted`: newer facts are to be read from a file."""

    import_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("facts", "Laws and platforms"))
        self.sections: dict[tuple[str, str], list[Section]] = {}
        self.tree = QTreeWidget(self)
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName(translate("facts", "Laws and platforms"))
        self.tree.setTabKeyNavigation(False)
        self.tree.setIndentation(12)
        self.tree.currentItemChanged.connect(lambda _now, _before: self._show())
        self.about = WordsView(self)
        self.about.setAccessibleName(translate("facts", "About the chosen one"))
        self.bring = QPushButton(translate("facts", "&Import newer facts…"), self)
        self.bring.setAutoDefault(False)
        self.bring.setAccessibleDescription(
            translate("facts", "From a file; each difference is shown before anything changes")
        )
        self.bring.clicked.connect(self.import_wanted)
        parts = QSplitter(Qt.Orientation.Horizontal, self)
        parts.addWidget(self.tree)
        parts.addWidget(self.about)
        parts.setChildrenCollapsible(False)
        parts.setSizes([300, 500])
        row = QHBoxLayout()
        row.addWidget(self.bring)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        note = translate(
            "facts", "What is marked was not read in an official text or on their own pages. Laws and forms change."
        )
        layout.addWidget(plain(note, self))
        layout.addWidget(parts, 50)  # a Close button comes with a stretch of its own
        layout.addLayout(row)
        closing(self, layout, 640)
        self.resize(860, 580)

    def show_facts(self, laws: Mapping[str, Law], platforms: Mapping[str, Platform]) -> None:
        """All of them, by name."""
        self.tree.clear()
        listed = (
            (translate("facts", "Laws"), [(law_line(one), law_sections(one)) for one in laws.values()]),
            (
                translate("facts", "Platforms, and others who can be asked"),
                [(platform_line(one), platform_sections(one)) for one in platforms.values()],
            ),
        )
        self.sections = {}
        for heading, found in listed:
            top = QTreeWidgetItem(self.tree, [heading])
            font = top.font(0)
            font.setBold(True)
            top.setFont(0, font)
            for line, sections in sorted(found, key=lambda one: one[0].casefold()):
                QTreeWidgetItem(top, [line]).setToolTip(0, line)
                self.sections[(heading, line)] = sections
            top.setExpanded(True)
        laws_ = self.tree.topLevelItem(0)
        first = None if laws_ is None else laws_.child(0)
        if first is not None:
            self.tree.setCurrentItem(first)

    def _show(self) -> None:
        entry = self.tree.currentItem()
        top = None if entry is None else entry.parent()
        found = [] if entry is None or top is None else self.sections.get((top.text(0), entry.text(0)), [])
        self.about.setHtml(describe.html_of(found, first="h3"))


class ImportFacts(QDialog):
    """Each difference between newer facts and those that are there, the risky ones first, before they are used."""

    wanted = Signal()

    def __init__(self, parent: QWidget, name: str, differences: Sequence[Difference]) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("facts", "Newer facts"))
        layout = QVBoxLayout(self)
        text = translate(
            "facts",
            "“{name}” would change this. A request goes where these facts say, so use them only if you know who made "
            "them. They stay marked as added by hand.",
        )
        layout.addWidget(plain(text.format(name=words.visible(name)), self))
        self.list = QListWidget(self)
        self.list.setAccessibleName(translate("facts", "What would change"))
        self.list.setTabKeyNavigation(False)
        self.list.setWordWrap(True)
        self.list.setSpacing(3)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.addItems([difference_line(d) for d in differences])
        self.list.setCurrentRow(0)
        layout.addWidget(self.list, 1)
        self.problem = plain("", self)
        self.problem.hide()
        layout.addWidget(self.problem)
        buttons = QDialogButtonBox(self)
        self.use = QPushButton(translate("facts", "&Use these facts"), self)
        # Enter must not answer this by accident.
        self.use.setAutoDefault(False)
        self.use.clicked.connect(self.wanted)
        buttons.addButton(self.use, QDialogButtonBox.ButtonRole.ActionRole)
        cancel = buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        cancel.setDefault(True)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.resize(680, 480)

    def show_problem(self, text: str) -> None:
        """Says why they cannot be used."""
        self.problem.setText(text)
        self.problem.show()
        announce(self, text)


def law_line(law: Law) -> str:
    """A law in the list: its name, with its countries and its mark where it has one."""
    return _marked(f"{law.name} ({', '.join(law.countries)})", law.confidence)


def platform_line(platform: Platform) -> str:
    """Somebody who can be asked, with the mark where it has one."""
    return _marked(platform.name, platform.confidence)


def _marked(name: str, confidence: Confidence) -> str:
    if confidence is Confidence.VERIFIED:
        return name
    return translate("facts", "{name}: check before sending").format(name=name)


def read_line(source: str, on: datetime.date | None) -> str:
    """Where a fact was read, and when."""
    if on is None:
        return translate("facts", "Nobody has verified this.")
    said = translate("facts", "Read on {day}: {source}")
    return said.format(day=case_view.day(on, datetime.date.min), source=source)


def law_sections(law: Law) -> list[Section]:
    """A law in words: what it gives, how sure that is, what it needs, what it costs."""
    found = [
        Section(law.name, tuple(filter(None, (law.citation, law.gloss.get("en", ""), law.says)))),
        Section(translate("facts", "How sure this is"), (read_line(law.source, law.verified_on), *law.doubts())),
        Section(translate("facts", "Images made with software"), (law.synthetic_says,)),
    ]
    if law.deadline is not None:
        found.append(Section(translate("facts", "Time limit"), (law.deadline.words,)))
    needs = tuple(f"{element_name(e.id)}: {e.says}" for e in law.elements)
    more = (
        (translate("facts", "What it needs"), needs),
        (translate("facts", "What it may cost you"), tuple(c.says for c in law.costs)),
        (translate("facts", "Mind"), law.warnings),
    )
    return found + [Section(title, lines) for title, lines in more if lines]


def platform_sections(platform: Platform) -> list[Section]:
    """Somebody who can be asked, in words: how to reach them, what they ask, how sure that is."""
    read = read_line(platform.source, platform.verified_on)
    found = [
        Section(platform.name, tuple(filter(None, (platform.owner, platform.says)))),
        Section(translate("facts", "How sure this is"), (read, *platform.doubts())),
    ]
    for channel in platform.channels:
        lines = (channel.address, channel.says, *channel.steps, *(c.says for c in channel.costs), *channel.doubts())
        lines = (*filter(None, lines), read_line(channel.source, channel.verified_on))
        found.append(Section(channel.name, lines))
    if platform.warnings:
        found.append(Section(translate("facts", "Mind"), platform.warnings))
    return found


def difference_line(difference: Difference) -> str:
    """One difference between facts that are there and newer ones."""
    old = difference.old or translate("facts", "nothing")
    new = difference.new or translate("facts", "nothing")
    said = translate("facts", "{file}, {key}: was {old}, would be {new}")
    text = said.format(file=difference.file, key=difference.key, old=f"“{old}”", new=f"“{new}”")
    if difference.risky:
        text = f"{translate('facts', 'Look at this one twice')}: {text}"
    return words.visible(text)
