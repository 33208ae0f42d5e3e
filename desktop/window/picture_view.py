"""One picture: blurred, grey and small, until it is pressed and held with the mouse or with the space bar.

Clear pixels are asked for when the press starts, drawn on a sheet over the pane, and dropped when the press ends:
on release, lost focus, a hidden or inactive window, or another picture.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QImage,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.window.press_and_hold import PressAndHold
from desktop.window.reveal import Pixels, Request, Reveal, Source, Stage
from desktop.window.words import translate
from desktop.words import MAP_COLOUR, MAP_OPACITY
from detectors.errors import CounterproofError
from detectors.finding import Overlay, Region

# Small enough to give little away even before it is blurred.
SMALL = 128
# A face cannot be told from a hill at this many patches along the longer side; 16 still show a smile.
VEIL_PATCHES = 7
VEIL_OPACITY = 0.7
# Between the lines that mark a replaced area, in pixels.
HATCH = 22


class PictureView(PressAndHold):
    """The small blurred picture. `wanted` carries a Request and the longest side in pixels."""

    wanted = Signal(object, int)

    def __init__(self, sheet_over: QWidget, parent: QWidget | None = None) -> None:
        """`sheet_over` is the widget that the clear picture may cover while it is held."""
        super().__init__(parent)
        self.reveal = Reveal()
        self.hidden_altogether = False
        self._regions: Sequence[Region] = ()
        self._overlays: Sequence[Overlay] = ()
        self._full_size = QSize()
        self._blurred: QImage | None = None
        self._sheet = ClearSheet(sheet_over)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(SMALL + 160)
        self.setAccessibleName(translate("picture", "Picture, blurred"))
        self.setAccessibleDescription(self._hint())

    def sizeHint(self) -> QSize:
        """Room for the small picture beside its hint."""
        return QSize(320, SMALL + 20)

    def show_picture(
        self,
        source: Source | None,
        full_size: tuple[int, int] | None,
        regions: Sequence[Region],
        overlays: Sequence[Overlay] = (),
    ) -> None:
        """Another picture, blurred; None for none. `full_size` and all boxes are in full-size pixels."""
        self._drop_clear()
        self._blurred = None
        self._regions, self._overlays = regions, overlays
        self._full_size = QSize(*full_size) if full_size else QSize()
        request = self.reveal.show(source)
        if request is not None and not self.hidden_altogether:
            self.wanted.emit(request, SMALL)
        self.update()

    def show_maps(self, shown: bool) -> None:
        """Whether maps are laid over the clear picture, also over one that is being held."""
        self._sheet.show_maps(shown)

    def hide_altogether(self, hidden: bool) -> None:
        """Shows not even the blurred picture; pressing and holding then does nothing."""
        self._end()
        self.hidden_altogether = hidden
        self.update()

    def arrived(self, request: Request, pixels: Pixels) -> None:
        """The engine made pixels."""
        if not self.reveal.arrived(request, pixels):
            return
        if request.blurred:
            self._blurred = veil(image_of(pixels))
        else:
            self._sheet.present(image_of(pixels), self._regions, self._overlays, self._full_size)
        self.update()

    def failed(self, request: Request, error: CounterproofError) -> None:
        """The engine could not make pixels."""
        if self.reveal.failed(request, error.message):
            self._drop_clear()
            self.update()

    def _begin(self) -> None:
        if self.hidden_altogether:
            return
        request = self.reveal.press()
        if request is not None:
            self._sheet.cover()
            longest = round(max(self._sheet.width(), self._sheet.height()) * self.devicePixelRatioF())
            self.wanted.emit(request, longest)
            self._announce()

    def _end(self) -> None:
        changed = self.reveal.release()
        self._drop_clear()
        if changed:
            self._announce()

    def _drop_clear(self) -> None:
        self._sheet.drop()
        self.update()

    def _announce(self) -> None:
        if self.reveal.stage in (Stage.OPENING, Stage.CLEAR):
            self.setAccessibleName(translate("picture", "Picture, shown while you hold"))
        else:
            self.setAccessibleName(translate("picture", "Picture, blurred"))
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.NameChanged))

    def _hint(self) -> str:
        return translate(
            "picture",
            "Blurred on purpose. You do not need to look at it. To see it, press and hold it with the mouse, "
            "or hold the space bar here; let go and it is blurred again.",
        )

    def _message(self) -> str:
        if self.hidden_altogether:
            return translate("picture", "Pictures are hidden. You can change this in the View menu.")
        if self.reveal.problem:
            return self.reveal.problem
        if self.reveal.stage is Stage.EMPTY:
            return translate("picture", "No picture to show.")
        return self._hint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(8, 8, SMALL, SMALL)
        if self.isRightToLeft():
            box.moveRight(self.width() - 8)
        painter.fillRect(box, self.palette().color(QPalette.ColorRole.Mid))
        if self._blurred is not None and not self.hidden_altogether and self.reveal.stage is not Stage.EMPTY:
            # Without the regions: an outline of a body part would tell what the blur hides.
            painter.setOpacity(VEIL_OPACITY)
            painter.drawImage(fit(self._blurred.size(), box), self._blurred)
            painter.setOpacity(1.0)
        text = QRectF(box.right() + 12, 8, self.width() - SMALL - 28, self.height() - 16)
        if self.isRightToLeft():
            text = QRectF(8, 8, self.width() - SMALL - 28, self.height() - 16)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(text, int(flags), self._message())
        if self.hasFocus():
            pen = QPen(self.palette().color(QPalette.ColorRole.Highlight), 2)
            painter.setPen(pen)
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))


class ClearSheet(QWidget):
    """The sheet over the pane on which the clear picture is drawn. Takes neither focus nor mouse."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._over = over
        self._image: QImage | None = None
        self._regions: Sequence[Region] = ()
        self._overlays: Sequence[Overlay] = ()
        self._maps_shown = True
        self._full_size = QSize()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        over.installEventFilter(self)
        self.hide()

    @property
    def holds_pixels(self) -> bool:
        """Whether clear pixels are in memory here."""
        return self._image is not None

    def cover(self) -> None:
        """Covers the pane, empty, while the picture is being opened."""
        self.setGeometry(self._over.rect())
        self.raise_()
        self.show()

    def present(self, image: QImage, regions: Sequence[Region], overlays: Sequence[Overlay], full_size: QSize) -> None:
        """Draws the clear picture with its maps and regions."""
        self._image, self._regions, self._overlays, self._full_size = image, regions, overlays, full_size
        self.update()

    def show_maps(self, shown: bool) -> None:
        """Whether the maps are drawn too."""
        self._maps_shown = shown
        self.update()

    def drop(self) -> None:
        """Forgets the pixels and uncovers the pane, at once."""
        self._image = None
        if self.isVisible():
            self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.setGeometry(self._over.rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Window))
        note_height = self.fontMetrics().height() * 2
        room = QRectF(self.rect()).adjusted(12, 12, -12, -12 - note_height)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        note = QRectF(12, self.height() - note_height - 6, self.width() - 24, note_height)
        if self._image is None:
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, translate("picture", "Opening…"))
            return
        said = translate("picture", "Let go to blur it again.")
        if any(r.kind in ("kept", "altered") for r in self._regions):
            hatched = translate("picture", "Dotted: kept from your photo. Hatched: replaced.")
            said = f"{hatched} {said}"
        if self._overlays and self._maps_shown:
            said = translate("picture", "Violet is where a detector saw something.") + " " + said
        painter.drawText(note, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), said)
        place = fit(self._image.size(), room)
        painter.drawImage(place, self._image)
        for overlay in self._overlays if self._maps_shown else ():
            draw_overlay(painter, place, self._full_size, overlay)
        draw_regions(painter, place, self._full_size, self._regions)


def draw_overlay(painter: QPainter, place: QRectF, full_size: QSize, overlay: Overlay) -> None:
    """A map over a picture at `place`: the more a detector saw in a spot, the more it is covered with one colour.

    Cells flow into one another, since their edges are not those of what was seen.
    """
    if full_size.isEmpty():
        return
    red, green, blue = MAP_COLOUR
    pixels = bytes(c for v in overlay.values for c in (red, green, blue, v * MAP_OPACITY // 255))
    image = QImage(pixels, overlay.columns, overlay.rows, overlay.columns * 4, QImage.Format.Format_RGBA8888)
    sx, sy = place.width() / full_size.width(), place.height() / full_size.height()
    x, y, width, height = overlay.box
    painter.save()
    painter.setClipRect(place)  # a map's last cells may reach beyond the picture
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRectF(place.left() + x * sx, place.top() + y * sy, width * sx, height * sy), image)
    painter.restore()


def draw_regions(painter: QPainter, place: QRectF, full_size: QSize, regions: Sequence[Region]) -> None:
    """Numbered outlines of `regions` over a picture at `place`: a light line on a dark one, seen on any picture."""
    if full_size.isEmpty():
        return
    sx, sy = place.width() / full_size.width(), place.height() / full_size.height()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for number, region in enumerate(regions, start=1):
        x, y, width, height = region.box
        box = QRectF(place.left() + x * sx, place.top() + y * sy, width * sx, height * sy)
        kept = region.kind == "kept"
        if region.kind == "altered":
            _hatch(painter, box)
        for colour, thickness in ((Qt.GlobalColor.black, 4.0), (Qt.GlobalColor.white, 2.0)):
            # What was kept from a photo is told from what was replaced by its line, not by a colour.
            painter.setPen(QPen(colour, thickness, Qt.PenStyle.DotLine if kept else Qt.PenStyle.SolidLine))
            painter.drawRect(box)
        _draw_number(painter, box.topLeft(), str(number))


def _hatch(painter: QPainter, box: QRectF) -> None:
    """Thin slanting lines, dark and light, that let the picture be seen."""
    painter.save()
    painter.setClipRect(box)
    for shift, colour in ((0, Qt.GlobalColor.black), (1.5, Qt.GlobalColor.white)):
        painter.setPen(QPen(colour, 1.2))
        x = box.left() - box.height() + shift
        while x < box.right():
            painter.drawLine(QPointF(x, box.bottom()), QPointF(x + box.height(), box.top()))
            x += HATCH
    painter.restore()


def _draw_number(painter: QPainter, corner: QPointF, text: str) -> None:
    size = painter.fontMetrics().boundingRect(text).size()
    tag = QRectF(corner, QSize(size.width() + 10, size.height() + 4))
    painter.fillRect(tag, Qt.GlobalColor.black)
    painter.setPen(Qt.GlobalColor.white)
    painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, text)


def fit(size: QSize, room: QRectF) -> QRectF:
    """The largest place in `room` with the shape of `size`, centred; never larger than the pixels call for."""
    if size.isEmpty():
        return room
    factor = min(room.width() / size.width(), room.height() / size.height())
    width, height = size.width() * factor, size.height() * factor
    return QRectF(room.center().x() - width / 2, room.center().y() - height / 2, width, height)


def veil(image: QImage) -> QImage:
    """Grey, and no more than a few soft patches, however much detail the engine left in."""
    smooth = Qt.TransformationMode.SmoothTransformation
    keep = Qt.AspectRatioMode.KeepAspectRatio
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    return grey.scaled(VEIL_PATCHES, VEIL_PATCHES, keep, smooth).scaled(image.size(), mode=smooth)


def image_of(pixels: Pixels) -> QImage:
    """Pixels as an image with its own copy of the bytes."""
    stride = pixels.width * 3
    image = QImage(pixels.rgb, pixels.width, pixels.height, stride, QImage.Format.Format_RGB888)
    return image.copy()
