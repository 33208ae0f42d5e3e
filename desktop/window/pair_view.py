"""Two pictures that look alike: side by side, and laid over each other with a slider that wipes between them.

Both are blurred until they are pressed and held, and blurred again whatever ends the press, as in `picture_view`.
Everything that a person decides here can be decided from the words and the number alone.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop.window import look_alikes
from desktop.window.dialogs import plain
from desktop.window.look_alikes import LookAlikes, Pair, Picture
from desktop.window.picture_view import SMALL, VEIL_OPACITY, fit, image_of, veil
from desktop.window.press_and_hold import PressAndHold
from desktop.window.reveal import Pixels, Request, Reveal, Stage
from desktop.window.words import translate
from detectors.errors import CounterproofError
from detectors.report import View

STEPS = 100
STEP = 5


class PairPictures(PressAndHold):
    """The pair: the first above the second, and beside them both in one place, split where the slider is.

    `wanted` carries a Request and the longest side in pixels; `moved` the slider's new place, 0..100.
    """

    wanted = Signal(object, int)
    moved = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.reveals = (Reveal(), Reveal())
        self.hidden_altogether = False
        self.split = STEPS // 2
        self._pair: Pair | None = None
        self._blurred: list[QImage | None] = [None, None]
        self._clear: list[QImage | None] = [None, None]
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(360, 220)
        self.setAccessibleDescription(
            translate(
                "pair",
                "Blurred on purpose. You do not need to look at them. To see them, press and hold with the mouse, or "
                "hold the space bar here; meanwhile the arrow keys move the slider. Let go and they are blurred again.",
            )
        )
        self._announce()

    @property
    def held(self) -> bool:
        """Whether the pictures are being held."""
        return any(r.stage in (Stage.OPENING, Stage.CLEAR) for r in self.reveals)

    @property
    def holds_pixels(self) -> bool:
        """Whether clear pixels are in memory here."""
        return any(i is not None for i in self._clear) or any(r.clear is not None for r in self.reveals)

    def show_pair(self, pair: Pair | None) -> None:
        """Another pair, blurred; None for none."""
        self._end()
        self._pair = pair
        self._blurred = [None, None]
        for reveal, picture in zip(self.reveals, self._pictures(), strict=True):
            request = reveal.show(picture.key if picture is not None and picture.shown else None)
            if request is not None and not self.hidden_altogether:
                self.wanted.emit(request, SMALL)
        self.update()

    def wipe(self, split: int) -> None:
        """Where the first ends and the second begins, from 0 (only the second) to 100 (only the first)."""
        self.split = max(0, min(STEPS, split))
        self.update()

    def arrived(self, request: Request, pixels: Pixels) -> None:
        """The engine made pixels."""
        for side, reveal in enumerate(self.reveals):
            if reveal.arrived(request, pixels):
                if request.blurred:
                    self._blurred[side] = veil(image_of(pixels))
                else:
                    self._clear[side] = image_of(pixels)
                self.update()

    def failed(self, request: Request, error: CounterproofError) -> None:
        """The engine could not make pixels."""
        for side, reveal in enumerate(self.reveals):
            if reveal.failed(request, error.message):
                self._clear[side] = None
                self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self._places()[2]
        if self.held and place.contains(event.position()):
            self._move_to(round((event.position().x() - place.left()) / place.width() * STEPS))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._move_to(self.split + (STEP if event.key() == Qt.Key.Key_Right else -STEP))
            return
        super().keyPressEvent(event)

    def _pictures(self) -> tuple[Picture | None, Picture | None]:
        return (None, None) if self._pair is None else (self._pair.a, self._pair.b)

    def _begin(self) -> None:
        if self.hidden_altogether:
            return
        longest = round(max(self.width(), self.height()) * self.devicePixelRatioF())
        requests = [request for reveal in self.reveals if (request := reveal.press()) is not None]
        for request in requests:
            self.wanted.emit(request, longest)
        if requests:
            self._announce()
            self.update()

    def _end(self) -> None:
        changed = [reveal.release() for reveal in self.reveals]
        self._clear = [None, None]
        self.update()
        if any(changed):
            self._announce()

    def _move_to(self, split: int) -> None:
        self.wipe(split)
        self.moved.emit(self.split)

    def _announce(self) -> None:
        held = translate("pair", "The two pictures, shown while you hold")
        self.setAccessibleName(held if self.held else translate("pair", "The two pictures, blurred"))
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.NameChanged))

    def _places(self) -> tuple[QRectF, QRectF, QRectF]:
        """Where the first, the second and both are drawn."""
        gap, edge = 10.0, 6.0
        caption = self.fontMetrics().height() + 4.0
        column = (self.width() - 2 * edge - gap) * 0.36
        height = (self.height() - 2 * edge - gap) / 2
        first = QRectF(edge, edge, column, height - caption)
        second = QRectF(edge, edge + height + gap, column, height - caption)
        both = QRectF(edge + column + gap, edge, self.width() - 2 * edge - gap - column, 2 * height + gap - caption)
        return first, second, both

    def _image(self, side: int) -> QImage | None:
        """The clear image while it is held and there, otherwise the blurred one."""
        if self.hidden_altogether:
            return None
        return self._clear[side] if self.held else self._blurred[side]

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        captions = (
            translate("pair", "The first"),
            translate("pair", "The second"),
            translate("pair", "Left of the line the first, right of it the second"),
        )
        for place, caption in zip(self._places(), captions, strict=True):
            painter.fillRect(place, self.palette().color(QPalette.ColorRole.AlternateBase))
            below = QRectF(place.left(), place.bottom() + 2, place.width(), self.fontMetrics().height() + 2)
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            painter.drawText(
                below,
                Qt.AlignmentFlag.AlignCenter,
                self.fontMetrics().elidedText(caption, Qt.TextElideMode.ElideRight, int(below.width())),
            )
        first, second, both = self._places()
        self._draw_one(painter, 0, first)
        self._draw_one(painter, 1, second)
        self._draw_both(painter, both)
        if self.hasFocus():
            painter.setOpacity(1.0)
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))

    def _draw_one(self, painter: QPainter, side: int, place: QRectF) -> None:
        image = self._image(side)
        if image is None:
            self._draw_words(painter, place, self._why_none(side))
            return
        painter.setOpacity(1.0 if self.held else VEIL_OPACITY)
        painter.drawImage(fit(image.size(), place), image)
        painter.setOpacity(1.0)

    def _draw_both(self, painter: QPainter, place: QRectF) -> None:
        """The parts that match, the first turned as it matches, in one place; a line where one ends."""
        if self._pair is None:
            return
        images = self._image(0), self._image(1)
        if images[0] is None or images[1] is None:
            text = "" if self.hidden_altogether else translate("pair", "Only where both pictures are there.")
            self._draw_words(painter, place, text)
            return
        part_a = _part(images[0], self._pair.a.size, self._pair.view_a)
        part_a = turned(part_a, self._pair.variant)
        part_b = _part(images[1], self._pair.b.size, self._pair.view_b)
        room = fit(part_b.size(), place)
        line = room.left() + room.width() * self.split / STEPS
        painter.setOpacity(1.0 if self.held else VEIL_OPACITY)
        painter.save()
        painter.setClipRect(QRectF(room.left(), room.top(), line - room.left(), room.height()))
        painter.drawImage(room, part_a)
        painter.setClipRect(QRectF(line, room.top(), room.right() - line, room.height()))
        painter.drawImage(room, part_b)
        painter.restore()
        painter.setOpacity(1.0)
        for colour, thickness in ((Qt.GlobalColor.black, 4.0), (Qt.GlobalColor.white, 2.0)):
            painter.setPen(QPen(colour, thickness))
            painter.drawLine(round(line), round(room.top()), round(line), round(room.bottom()))

    def _draw_words(self, painter: QPainter, place: QRectF, text: str) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
        painter.drawText(place.adjusted(6, 6, -6, -6), flags, text)

    def _why_none(self, side: int) -> str:
        picture, reveal = self._pictures()[side], self.reveals[side]
        if picture is None:
            return ""
        if self.hidden_altogether:
            return translate("picture", "Pictures are hidden. You can change this in the View menu.")
        if not picture.shown:
            return translate("pair", "No image of this item is kept.")
        return reveal.problem or translate("picture", "Opening…")


class PairWindow(QDialog):
    """The groups, the chosen pair, and what a person says about it.

    `marked` carries a Pair and whether it was marked as not a match (False takes that back).
    """

    marked = Signal(object, bool)

    def __init__(self, parent: QWidget, *, remembered: str) -> None:
        """`remembered` says for how long "not a match" is remembered."""
        super().__init__(parent)
        self.setWindowTitle(translate("pair", "Look-alikes"))
        self._found = LookAlikes()
        self._pairs: list[tuple[Pair, bool]] = []
        self._entries: list[QTreeWidgetItem] = []
        self.tree = QTreeWidget(self)
        self.tree.setHeaderHidden(True)
        self.tree.setIndentation(12)
        self.tree.setTabKeyNavigation(False)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.tree.setAccessibleName(translate("pair", "Groups and pairs"))
        self.tree.currentItemChanged.connect(self._chosen)
        self.pictures = PairPictures(self)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        # As the line in the picture moves, whichever way the language is written.
        self.slider.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.slider.setRange(0, STEPS)
        self.slider.setValue(STEPS // 2)
        self.slider.setPageStep(STEP * 2)
        self.slider.setSingleStep(STEP)
        self.slider.setAccessibleName(translate("pair", "Wipe from the second picture to the first"))
        self.slider.valueChanged.connect(self.pictures.wipe)
        self.pictures.moved.connect(self.slider.setValue)
        label = QLabel(translate("pair", "&Wipe:"), self)
        label.setBuddy(self.slider)
        self.words = plain("", self)
        self.words.setAccessibleName(translate("pair", "How near the two are"))
        self.mark = QPushButton(self)
        self.mark.setAutoDefault(False)
        self.mark.setAccessibleDescription(remembered)
        self.mark.clicked.connect(self._mark)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.buttons.rejected.connect(self.reject)
        self.note = plain(remembered, self)
        wiping = QHBoxLayout()
        wiping.addWidget(label)
        wiping.addWidget(self.slider, 1)
        right = QWidget(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pictures, 1)
        column.addLayout(wiping)
        column.addWidget(self.words)
        row = QHBoxLayout()
        row.addWidget(self.mark)
        row.addWidget(self.note, 1)
        column.addLayout(row)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.addWidget(self.tree)
        self.splitter.addWidget(right)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setSizes([250, 550])
        self.count = plain("", self)
        layout = QVBoxLayout(self)
        layout.addWidget(self.count)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.buttons)
        self.resize(860, 540)
        self._show_pair()

    def show_found(self, found: LookAlikes, group: int = 0) -> None:
        """The groups; the pair that was chosen stays chosen where it is still there, else the first of `group`."""
        before = self._current()
        self._found, self._pairs, self._entries = found, [], []
        self.tree.blockSignals(True)
        self.tree.clear()
        firsts = []
        for alike in found.groups:
            firsts.append(len(self._pairs))
            title = look_alikes.group_name(alike.pictures[0], len(alike.pictures))
            self._add(title, [(pair, False) for pair in alike.pairs])
        if found.wrong:
            self._add(translate("pair", "Marked as not a match"), [(pair, True) for pair in found.wrong])
        self.tree.expandAll()
        self.count.setText(self._counted())
        keys = [pair.keys for pair, _ in self._pairs]
        if before is not None and before[0].keys in keys:
            self._choose(keys.index(before[0].keys))
        elif self._pairs:
            self._choose(firsts[group] if 0 <= group < len(firsts) else 0)
        self.tree.blockSignals(False)
        self._show_pair()

    def wait(self, done: int, total: int) -> None:
        """The pictures are still being compared: so many of them are done."""
        said = translate("pair", "Comparing: {done} of {total}. Close stops it.")
        self.count.setText(said.format(done=f"{done:,}", total=f"{total:,}"))

    def clear(self) -> None:
        """Forgets everything."""
        self.show_found(LookAlikes())

    def _add(self, title: str, pairs: list[tuple[Pair, bool]]) -> None:
        heading = QTreeWidgetItem(self.tree, [title])
        font = heading.font(0)
        font.setBold(True)
        heading.setFont(0, font)
        heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
        for pair, wrong in pairs:
            name = look_alikes.pair_name(pair)
            entry = QTreeWidgetItem(heading, [f"{pair.a.name}, {name}" if wrong else name])
            entry.setToolTip(0, f"{pair.a.name}, {name}")
            entry.setData(0, Qt.ItemDataRole.UserRole, len(self._pairs))
            self._pairs.append((pair, wrong))
            self._entries.append(entry)

    def _choose(self, number: int) -> None:
        self.tree.setCurrentItem(self._entries[number])

    def _current(self) -> tuple[Pair, bool] | None:
        entry = self.tree.currentItem()
        number = None if entry is None else entry.data(0, Qt.ItemDataRole.UserRole)
        return None if number is None or number >= len(self._pairs) else self._pairs[number]

    def _chosen(self) -> None:
        self._show_pair()

    def _show_pair(self) -> None:
        current = self._current()
        self.pictures.show_pair(None if current is None else current[0])
        self.mark.setEnabled(current is not None)
        self.slider.setEnabled(current is not None)
        again = translate("pair", "It &is a match after all")
        self.mark.setText(again if current is not None and current[1] else translate("pair", "&Not a match"))
        if current is None:
            self.words.setText(translate("pair", "Choose a pair on the left."))
        else:
            said = (look_alikes.distance_words(current[0]), look_alikes.how_words(current[0]))
            self.words.setText(" ".join(s for s in said if s))

    def _mark(self) -> None:
        current = self._current()
        if current is not None:
            self.marked.emit(current[0], not current[1])

    def _counted(self) -> str:
        found = self._found
        said = [
            translate("pair", "{n} pictures were compared.").format(n=f"{found.compared:,}"),
            translate("pair", "No two look alike.")
            if not found.groups
            else translate("pair", "Groups of look-alikes: {n}.").format(n=f"{len(found.groups):,}"),
        ]
        if found.not_compared:
            missed = translate("pair", "Without a fingerprint that can be compared: {n}.")
            said.append(missed.format(n=f"{len(found.not_compared):,}"))
        return " ".join(said)


def turned(image: QImage, variant: str) -> QImage:
    """The first picture, turned as `variant` (one of `search.VARIANTS`) says, so that it lies as the second does."""
    degrees = {
        "turned_180": 180,
        "turned_left": -90,
        "turned_right": 90,
        "turned_left_mirrored": -90,
        "turned_right_mirrored": 90,
    }
    across, down = {
        "mirrored": (-1, 1),
        "upside_down_mirrored": (1, -1),
        "turned_left_mirrored": (-1, 1),
        "turned_right_mirrored": (-1, 1),
    }.get(variant, (1, 1))
    # One after the other: each alone moves pixels without mixing them.
    image = image.transformed(QTransform().rotate(degrees.get(variant, 0)))
    return image.transformed(QTransform.fromScale(across, down))


def _part(image: QImage, full: tuple[int, int] | None, view: View | None) -> QImage:
    """The view's part of an image that is smaller than the picture at full size (`full`)."""
    if view is None or full is None:
        return image
    sx, sy = image.width() / full[0], image.height() / full[1]
    x, y, width, height = view.box
    size = QSize(max(1, round(width * sx)), max(1, round(height * sy)))
    return image.copy(round(x * sx), round(y * sy), size.width(), size.height())
