"""Visible marks that some generators print into a corner of their pictures.

- DALL-E 2: five squares (yellow, turquoise, green, red-orange, blue) in a row, in the very corner, 16 px each at 1024.
- Gemini ("nano-banana"): a translucent white four-pointed star, 48 px wide and 32 px from both edges, or 96 and 64.
- thispersondoesnotexist.com: the line "StyleGAN2 (Karras et al.)", black and translucent, at the bottom right.

All are sought in the corner brought to one size, and again in the mirrored other corner, since re-uploaders mirror.
Squares: the distance of five mean colours from those of the mark. Star: laid over a picture, it is a step in brightness
along a known outline, half way to white; taken off again at the right place, the step goes, and everywhere else taking
it off draws a new one. So the measure is the gradient energy along the outline after, divided by that before. Line: the
correlation of gradients of log brightness with those of the line. Colours, shape and line were measured on one half
of the labelled pictures (by file hash).

In both lower corners of all 2,674 labelled real photographs with a short side of 128 px or more, and of 1,800 pictures
by other generators, no mark was found; the nearest were at 77 for the squares (limit 50), 0.69 for the star (limit
0.60) and, among 1,238 square photographs, 0.14 for the line (0.30 is needed). Found on the half that nothing was
learned from, at a long side of 512 px: squares 49 of 49, line 91 of 99 (it vanishes in black hair), star 12 of the 14
in which it can be seen. Resized to 80 % of that and saved as JPEG 80: 49 of 49, 49 of 60 and 4 of 14; to 60 % and JPEG
70: 49 of 49, 33 of 60 and none of 14, since stars of less than some 20 px in the file are mostly missed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from detectors.finding import Finding, Profile, Region, Role, State

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

Floats = npt.NDArray[np.float32]

# Everything below is in px of a picture whose short side is 512; the corner that is looked at is SIDE px square.
UNIT = 512
SIDE = 104
# Smaller pictures leave less than 2 px for a square and 6 px for a star.
MIN_SHORT_SIDE = 128

# Mean sRGB colours of the five squares, left to right.
SQUARES = np.array([[252, 254, 109], [66, 255, 247], [87, 215, 79], [252, 112, 57], [58, 70, 255]], np.float32)
# Widths of a square from a picture extended to twice its size to a crop of a third; root mean square of 0..255 steps.
SQUARE_SIZES = 4 * 1.04 ** np.arange(43)
SQUARES_MOST = 50.0

# The star is the curve |x|^p + |y|^p = r^p blended with white at this opacity; its centre lies 7/6 of its width from
# both edges. Widths from 96 px in 4K pictures to 48 px at a short side of 672.
STAR_POWER, STAR_OPACITY, STAR_REACH, STAR_CENTRE = 0.7, 0.5, 1.03, 7 / 6
STAR_SIZES = UNIT * 0.0225 * 1.04 ** np.arange(31)
STAR_MOST = 0.60
# A star's width over the width of the patch around it, and the patch's side in cells.
PATCH, CELLS = 1.3, 24
# Variance of noise, in squared steps of 0..255, that is not taken for an outline.
NOISE = 1.0

# Depth of the line in a picture of 512 x 512, 0..15, two cells a byte, LINE_SHAPE cells, ending one px from the right.
LINE_SHAPE = (14, 102)
LINE_DEPTH = 0.079
LINE_LEAST = 0.3
_LINE = (
    "5fKp)5fKp)A`uZ05fK0p5fA_X000015C9Mn5dZ)H000310000000000000000000H5fKp)0TB@q5fKp)5fKp)5di=I0000G5fK0Y00000000"
    "00000000000000000000pY5fKp)5fLI05)lv)5fKp(0T2KH000mW0RRvH000000000000000000010000003i|~5fBj(5)u(15g`E)5fKp(0"
    "RR910Ra#Y0T2KH0099I000005C8xG0000001yBW5`4!KPyrD|5fKqex?usA5K0gy1j|qm12kY6KmY&$00000000010006&00004KmbAok|{@"
    "|FcW1IbP}`@lLM+CPhcn+BA@^V6kwzPMllpZL=<BHRv-`qV+OGR17ihH05lVoGAN{wMpZg#HE<Ck1~gDsgcuM3fB-iHn@|IWvQ0+CNNY8ha1"
    "c3JCb0lGTO?2b2oW}kC18VNReD=yU`)jeiJ(?FHvlLw096FGfdOa4MFn6NY&6C&0C`$sPyiNeG*AEr6fg&5a940;YF9*&5p_CdvqlD(0&xHU"
    "RRwTo262N$1wdyPKsKTPc}6o}0B09OKmZ37$cjX>8(?KRXfTR+ql5rQM**rGhEM=T1#lZSmgGeRP-"
    "$LNhM@pRSR%0iX<bB7KnM{>bP{6;Ff$Zn5fpYHK@b!(5F{05U;q~aF#<tVLLven6=X10AOHhn08#)2Qz9WS79k-KA`*xY0000H5fA_Y0T2-"
    "p0000000l4r5C8xG000000000000000000000000}5+WiZ5@P`X01*)p5fK0o5fKp(000000U!_n0000001yEY5C8xG0000000000001B&A|"
    "fIo5fBgo5fKp)5CIVp5D@_Y000000RR91000000T2KH000000000000000000"
)
# Added to brightness before the logarithm, and the most that a gradient of it counts: noise in black is no writing.
DARK, STEEPEST = 16.0, 0.25
# The line is printed on square pictures of one size, so its place is known only while they are square.
SQUARE_WITHIN = 0.02


@dataclass(frozen=True, slots=True)
class Match:
    """How near a corner comes to one mark: `value` against `limit`, and the mark's box from the corner in UNIT px.

    `found`: whether it is the mark. `right`, `bottom`: gaps to the picture's edges; `width`, `height` of the mark.
    """

    mark: str
    value: float
    limit: float
    found: bool
    right: float
    bottom: float
    width: float
    height: float


SAYS = {
    "squares": "It shows the five coloured squares that DALL-E 2 printed into the corner of its pictures.",
    "star": "It shows the small four-pointed star that Google's Gemini prints near the corner of pictures that it"
    " made or edited.",
    "line": "It shows the line of text that thispersondoesnotexist.com prints under the faces that it generates.",
}
CAN_BE_COPIED = "Such a mark can be copied onto another picture, or cropped away."
SOURCES = {
    "squares": "measured on 80 pictures by DALL-E 2; https://openai.com/index/dall-e-2/",
    "star": "measured on 60 pictures by Gemini; sizes and margins as in https://github.com/allenk/GeminiWatermarkTool",
    "line": "measured on 180 faces from https://thispersondoesnotexist.com/",
}


class _VisibleMark:
    """Looks for the known marks in both lower corners. Score 1.0: one was found."""

    name = "visible_mark"
    role = Role.DECLARED

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture, with the mark as region; very small pictures do not apply."""
        h, w = picture.rgb.shape[:2]
        if min(h, w) < MIN_SHORT_SIDE:
            says = "Too small to show one of the known visible marks of generators."
            return Finding(self.name, self.role, State.NOT_APPLICABLE, None, says)
        details = {}
        for mirrored in (False, True):
            for match in matches(picture.rgb, mirrored=mirrored):
                details[match.mark + " mirrored" * mirrored] = round(match.value, 3)
                if not match.found:
                    continue
                px = min(h, w) / UNIT
                x = match.right * px if mirrored else w - (match.right + match.width) * px
                y = h - (match.bottom + match.height) * px
                box = picture.box_at_full_size(x, y, match.width * px, match.height * px)
                says = f"{SAYS[match.mark]}{' It is mirrored.' if mirrored else ''} {CAN_BE_COPIED}"
                found = {"mark": match.mark, "mirrored": mirrored, "source": SOURCES[match.mark], **details}
                region = Region("generator_mark", box)
                return Finding(self.name, self.role, State.OK, 1.0, says, (region,), details=found)
        says = "No known visible mark of a generator was found. Cropping removes them, so this proves little."
        return Finding(self.name, self.role, State.OK, 0.0, says, details=details)


def matches(rgb: npt.NDArray[np.uint8], *, mirrored: bool) -> tuple[Match, ...]:
    """How near the lower right corner of (h, w, 3) comes to each mark; `mirrored`: the lower left one, turned over."""
    h, w = rgb.shape[:2]
    side = round(min(h, w) * SIDE / UNIT)
    cut = Image.fromarray(np.ascontiguousarray(rgb[-side:, :side] if mirrored else rgb[-side:, -side:]))
    small = cut.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=1.0)
    if mirrored:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    grey = small.convert("L")
    found = [_squares(np.asarray(small, np.float32)), _star(grey)]
    if abs(h - w) <= SQUARE_WITHIN * w:
        found.append(_line(np.asarray(grey, np.float32)))
    return tuple(found)


def _squares(corner: Floats) -> Match:
    """The five squares in (SIDE, SIDE, 3) at their likeliest size. The strip above them must be something else."""
    sums = np.zeros((_FOOT + 1, SIDE + 1, 3), np.float32)
    sums[1:, 1:] = corner[-_FOOT:].cumsum(axis=0).cumsum(axis=1)
    row, above = (_distance(sums, *cells) for cells in (_ROW, _ABOVE))
    best = int(row.argmin())
    size, value = float(_SIZES[best]), float(row[best])
    found = value <= SQUARES_MOST < float(above[best])
    return Match("squares", value, SQUARES_MOST, found, 0.0, 0.0, 5 * size, size)


def _distance(sums: Floats, top: _Ints, bottom: _Ints, left: _Ints, right: _Ints) -> Floats:
    """(sizes,) root mean square difference of the five cells' mean colours from SQUARES."""
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    mean = total / ((bottom - top) * (right - left))[..., None]
    distance: Floats = np.sqrt(((mean - SQUARES) ** 2).mean(axis=(1, 2)))
    return distance


def _cells(up: float) -> tuple[_Ints, _Ints, _Ints, _Ints]:
    """Edges of the squares' inner parts, `up` squares higher: top, bottom (sizes, 1); left, right (sizes, 5).

    Rows count from the top of the lowest _FOOT rows of the corner.
    """
    size = _SIZES[:, None]
    place = np.arange(5, 0, -1)
    top, left = np.round(_FOOT - (0.8 + up) * size), np.round(SIDE - size * (place - 0.2))
    bottom = np.maximum(np.round(_FOOT - (0.2 + up) * size), top + 1)
    right = np.maximum(np.round(SIDE - size * (place - 0.8)), left + 1)
    return tuple(edge.astype(np.intp) for edge in (top, bottom, left, right))  # type: ignore[return-value]


def _star(grey: Image.Image) -> Match:
    """The star in a (SIDE, SIDE) corner at its likeliest size."""
    patches = np.stack([_patch(grey, size, 0.0, 0.0) for size in STAR_SIZES])
    ratios = _left_over(patches)
    best = int(ratios.argmin())
    size = float(STAR_SIZES[best])
    # Rounding in each resize moves the star by parts of a px.
    step = size * PATCH / CELLS / 2
    moves = [(x, y) for x in (-step, 0.0, step) for y in (-step, 0.0, step)]
    value = float(_left_over(np.stack([_patch(grey, size, x, y) for x, y in moves])).min())
    gap = (STAR_CENTRE - 0.5) * size
    return Match("star", value, STAR_MOST, value <= STAR_MOST, gap, gap, size, size)


def _patch(grey: Image.Image, size: float, x: float, y: float) -> Floats:
    """(CELLS, CELLS) brightness around where a star of `size` would lie, moved by x and y."""
    near, far = SIDE - (STAR_CENTRE - PATCH / 2) * size, SIDE - (STAR_CENTRE + PATCH / 2) * size
    box = (far + x, far + y, near + x, near + y)
    return np.asarray(grey.resize((CELLS, CELLS), Image.Resampling.BILINEAR, box=box), np.float32)


def _left_over(patches: Floats) -> Floats:
    """(n,) gradient energy along the outline once a star is taken off (n, CELLS, CELLS), per energy before."""
    ends = patches.reshape(len(patches), -1).take(_OUTLINE, axis=1)
    off = (ends - 255 * _COVER) / (1 - _COVER)
    before, after = (np.square(e[:, 0] - e[:, 1]).sum(axis=1) for e in (ends, off))
    noise = NOISE * _OUTLINE.shape[1]
    ratio: Floats = (after + noise) / (before + noise)
    return ratio


def _outline(star: Floats) -> _Ints:
    """(2, n) flat indices of neighbouring cells that the star (CELLS, CELLS) covers differently."""
    cells = np.arange(star.size).reshape(star.shape)
    across, down = np.diff(star, axis=1) != 0, np.diff(star, axis=0) != 0
    first = np.concatenate([cells[:, :-1][across], cells[:-1][down]])
    return np.stack([first, np.concatenate([cells[:, 1:][across], cells[1:][down]])])


def _drawn_star() -> Floats:
    """(CELLS, CELLS) opacity of the star in its patch, from 8 x 8 points a cell."""
    line = np.abs((np.arange(CELLS * 8) + 0.5) / (CELLS * 8) - 0.5) * 2 * PATCH / STAR_REACH
    inside = line[:, None] ** STAR_POWER + line[None, :] ** STAR_POWER <= 1
    cover: Floats = (STAR_OPACITY * inside.reshape(CELLS, 8, CELLS, 8).mean(axis=(1, 3))).astype(np.float32)
    return cover


def _line(grey: Floats) -> Match:
    """The line of text at the foot of a (SIDE, SIDE) corner, up to a px away from its place."""
    rows, columns = LINE_SHAPE
    across, down = _gradients(np.log(grey[-rows - 1 :] + DARK))
    value = -1.0
    for y in range(across.shape[0] - rows + 2):
        for x in range(across.shape[1] - columns + 2):
            a, d = across[y : y + rows - 1, x : x + columns - 1], down[y : y + rows - 1, x : x + columns - 1]
            product = float((a * _LINE_ACROSS).sum() + (d * _LINE_DOWN).sum())
            # Half a unit, which is little beside the gradients of any texture, keeps empty corners near 0.
            value = max(value, product / float(np.sqrt(np.square(a).sum() + np.square(d).sum() + 0.5)))
    return Match("line", value, LINE_LEAST, value >= LINE_LEAST, 1.0, 1.0, float(columns), float(rows - 2))


def _gradients(brightness: Floats) -> tuple[Floats, Floats]:
    """Differences to the next cell across and down of (h, w), each (h - 1, w - 1) and at most STEEPEST."""
    across, down = np.diff(brightness, axis=1)[:-1], np.diff(brightness, axis=0)[:, :-1]
    return np.clip(across, -STEEPEST, STEEPEST), np.clip(down, -STEEPEST, STEEPEST)


def _line_gradients() -> tuple[Floats, Floats]:
    """Gradients of the line itself, together of length 1."""
    packed = np.frombuffer(base64.b85decode(_LINE), np.uint8)
    depth = np.stack([packed >> 4, packed & 15], axis=1).reshape(LINE_SHAPE).astype(np.float32)
    across, down = _gradients(-LINE_DEPTH * depth)
    length = np.sqrt(np.square(across).sum() + np.square(down).sum())
    return across / length, down / length


_Ints = npt.NDArray[np.intp]
_SIZES = SQUARE_SIZES[SQUARE_SIZES <= SIDE / 5]
# The squares and the strip above them are no higher than this.
_FOOT = SIDE * 2 // 5
_ROW, _ABOVE = _cells(0.0), _cells(1.0)
_OUTLINE = _outline(_drawn_star())
_COVER = _drawn_star().ravel()[_OUTLINE]
_LINE_ACROSS, _LINE_DOWN = _line_gradients()

detector = _VisibleMark()
