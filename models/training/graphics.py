"""Pictures that are no photographs, by group: taken from unpacked Debian packages, or made by script.

    python -m models.training.graphics

From a folder x/ of unpacked packages to all/GROUP/*.png, both below the cache folder's graphics/.
"""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from models.training import data, degrade

SEED = 20261124
LONGEST = 1024  # px, long side of what is collected
SMALLEST = 150
# Groups that share a package, a script or a look are held out together.
FOLD_OF = {
    group: fold
    for fold, groups in enumerate(
        (
            ("text", "chat", "table", "scan"),
            ("clip-art", "signs"),
            ("icons", "icons-flat", "emoji"),
            ("flags", "maps", "game-screens"),
            ("wesnoth", "flare", "warzone", "freeciv"),
            ("children", "paintings", "cards"),
            ("supertux", "hedgewars", "pingus", "slogan"),
            ("chart", "pages", "web", "window", "wallpapers"),
        )
    )
    for group in groups
}
# Group -> glob patterns below the unpacked packages, and the most pictures to take.
PACKAGED: dict[str, tuple[tuple[str, ...], int]] = {
    "clip-art": (("openclipart-png/**/png/[!scg]*/**/*.png", "openclipart-png/**/png/computer/hardware/*.png"), 260),
    "signs": (("openclipart-png/**/png/s*/**/*.png",), 90),
    "flags": (("kgeography-data/**/flags/**/*.png",), 100),
    "maps": (("kgeography-data/usr/share/kgeography/*.png",), 120),
    "icons": (("oxygen-icon-theme/**/256x256/**/*.png",), 120),
    "icons-flat": (("papirus-icon-theme/**/64x64/apps/*.svg",), 80),
    "children": (("gcompris-out/**/*.svg", "gcompris-out/**/words_sample/*.webp"), 160),
    "paintings": (("gcompris-out/**/paintings/**/*.webp",), 130),
    "wesnoth": (
        (
            "wesnoth*/**/core/images/portraits/**/*.png",
            "wesnoth*/**/core/images/story/*",
            "wesnoth*/**/campaigns/*/images/portraits/**/*",
            "wesnoth*/**/campaigns/*/images/story/**/*",
        ),
        240,
    ),
    "flare": (("flare-game/**/images/portraits/**/*.png", "flare-game/**/images/enemies/*.png"), 60),
    "supertux": (("supertux-data/**/images/background/**/*", "supertux-data/**/images/worldmap/**/*.png"), 70),
    "hedgewars": (("hedgewars-data/**/Graphics/Missions/**/*.png", "hedgewars-data/**/Themes/*/Sky*.png"), 120),
    "freeciv": (("freeciv-data/**/misc/*.png", "freeciv-data/**/amplio2/*.png", "freeciv-data/**/hex*/*.png"), 30),
    "pingus": (("pingus-data/**/images/**/*.png",), 40),
    "warzone": (("warzone2100-data/**/bdrops/*", "warzone2100-data/usr/share/doc/**/images/*"), 30),
    "wallpapers": (
        (
            "gnome-backgrounds/**/*.webp",
            "mate-backgrounds/**/abstract/*",
            "mate-backgrounds/**/desktop/*",
            "plasma*/**/FlyingKonqui/contents/images/1920x1080.*",
            "plasma*/**/PastelHills/contents/images/1920x1080.*",
        ),
        50,
    ),
    "game-screens": (("kgeography-data/**/HTML/*/kgeography/*.png",), 60),
    "cards": (("kdegames-card-data-kf5/**/*.png", "pokerth-data/**/gfx/**/*.png"), 40),
}


def folder() -> Path:
    """Where graphics lie: COUNTERPROOF_GRAPHICS, or `graphics` in the training cache."""
    return Path(os.environ.get("COUNTERPROOF_GRAPHICS", data.cache_dir() / "graphics"))


@cache
def fonts() -> list[Path]:
    """The unpacked font files, less the one with coloured pictures."""
    return sorted(p for p in (folder() / "x").glob("fonts-*/**/*.[to]tf") if "Color" not in p.name)


class Words:
    """Sentences in many languages, out of the translations that one game package carries."""

    def __init__(self) -> None:
        self.languages: list[list[str]] = []
        for path in sorted((folder() / "x/supertux-data").glob("**/data/locale/*.po")) or sorted(
            (folder() / "x/supertux-data").glob("**/*.po")
        ):
            if path.stem[:2] in ("zh", "ja", "ko", "cm", "th", "km"):  # not in these fonts
                continue
            found = re.findall(r'^msgstr "(.{4,})"$', path.read_text("utf-8", "ignore"), re.MULTILINE)
            if len(found) > 60:
                self.languages.append([re.sub(r'[\\{}"_#]', " ", f).strip() for f in found])
        if not self.languages:
            raise FileNotFoundError("no words: unpack supertux-data below x/")

    def page(self, rng: Generator, lines: int) -> list[str]:
        """Lines of one language."""
        language = self.languages[int(rng.integers(len(self.languages)))]
        return [language[int(rng.integers(len(language)))] for _ in range(lines)]


Colour = tuple[int, int, int]


def _colour(rng: Generator, low: int, high: int) -> Colour:
    r, g, b = (int(v) for v in rng.integers(low, high, 3))
    return (r, g, b)


def _theme(rng: Generator) -> tuple[Colour, Colour]:
    """Background and ink."""
    dark = rng.random() < 0.35
    paper = _colour(rng, 8, 60) if dark else ((255, 255, 255) if rng.random() < 0.5 else _colour(rng, 215, 256))
    return paper, (_colour(rng, 190, 256) if dark else _colour(rng, 0, 90))


def _font(rng: Generator, size: int, only: str = "") -> ImageFont.FreeTypeFont:
    found = [f for f in fonts() if only in f.name.lower()]
    return ImageFont.truetype(str(found[int(rng.integers(len(found)))]), size)


def _canvas(rng: Generator, paper: Colour) -> Image.Image:
    shapes = ((1080, 1920), (750, 1334), (1280, 800), (1024, 768), (800, 1000), (600, 600), (640, 360))
    return Image.new("RGB", shapes[int(rng.integers(len(shapes)))], paper)


def text(rng: Generator, words: Words) -> Image.Image:
    """A page, a terminal or an article: lines of text."""
    paper, ink = _theme(rng)
    image = _canvas(rng, paper)
    draw, size = ImageDraw.Draw(image), int(rng.integers(11, 42))
    font = _font(rng, size, "mono" if rng.random() < 0.3 else "")
    y, margin = int(rng.integers(5, 80)), int(rng.integers(5, 90))
    if rng.random() < 0.4:
        draw.rectangle((0, 0, image.width, y + size), fill=_colour(rng, 0, 256))
        y += size * 2
    while y < image.height - size:
        for line in words.page(rng, int(rng.integers(1, 7))):
            colour = ink if rng.random() < 0.9 else _colour(rng, 0, 256)
            draw.text((margin, y), line[: max(4, int(1.7 * (image.width - 2 * margin) / size))], colour, font)
            y += round(size * 1.35)
        y += int(rng.integers(0, size * 2))
    return image


def chat(rng: Generator, words: Words) -> Image.Image:
    """Bubbles of a conversation on a telephone."""
    paper, ink = _theme(rng)
    image = Image.new("RGB", (int(rng.choice([720, 1080, 750])), int(rng.choice([1280, 1600, 1920]))), paper)
    draw, size = ImageDraw.Draw(image), int(rng.integers(24, 44))
    font, y = _font(rng, size), 0
    both = [tuple(min(255, max(0, p + int(d))) for p in paper) for d in (rng.integers(-40, 40), 25)]
    fills = [both[0], _colour(rng, 60, 220)]
    draw.rectangle((0, 0, image.width, 110), fill=_colour(rng, 0, 256))
    draw.ellipse((20, 20, 95, 95), fill=_colour(rng, 0, 256))
    y = 140
    while y < image.height - 200:
        side = int(rng.integers(2))
        lines = [line[:26] for line in words.page(rng, int(rng.integers(1, 5)))]
        wide = max(int(draw.textlength(line, font)) for line in lines) + 40
        x = image.width - wide - 20 if side else 20
        draw.rounded_rectangle((x, y, x + wide, y + len(lines) * size * 1.3 + 30), 22, fill=fills[side])
        for line in lines:
            draw.text((x + 20, y + 12), line, ink, font)
            y += round(size * 1.3)
        y += int(rng.integers(40, 70))
    return image


def table(rng: Generator, words: Words) -> Image.Image:
    """A spreadsheet or a list with lines."""
    paper, ink = _theme(rng)
    image = _canvas(rng, paper)
    draw, size = ImageDraw.Draw(image), int(rng.integers(11, 24))
    font, high, wide = _font(rng, size), int(size * rng.uniform(1.5, 2.4)), int(rng.integers(70, 260))
    stripe, line = _colour(rng, 60, 240), _colour(rng, 90, 220)
    for row in range(image.height // high + 1):
        if row == 0 or (row % 2 and stripe[0] % 2):
            draw.rectangle((0, row * high, image.width, row * high + high), fill=stripe if row == 0 else None)
        draw.line((0, row * high, image.width, row * high), line)
        for column in range(image.width // wide + 1):
            draw.line((column * wide, 0, column * wide, image.height), line)
            number = f"{rng.integers(0, 99999) / 100:.2f}"
            cell = words.page(rng, 1)[0] if column == 0 or rng.random() < 0.3 else number
            draw.text((column * wide + 4, row * high + 3), cell[: int(wide / size * 1.5)], ink, font)
    return image


def slogan(rng: Generator, words: Words) -> Image.Image:
    """Large words over plain colour, a gradient or shapes, as cards in social media are."""
    side = (int(rng.integers(600, 1200)), int(rng.integers(500, 1200)))
    image = Image.new("RGB", side, _colour(rng, 0, 256))
    if rng.random() < 0.5:
        ramp = Image.linear_gradient("L").rotate(float(rng.integers(0, 4) * 90)).resize(side)
        image = Image.composite(image, Image.new("RGB", side, _colour(rng, 0, 256)), ramp)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 12))):
        x, y = int(rng.integers(side[0])), int(rng.integers(side[1]))
        box = (x, y, x + int(rng.integers(20, 500)), y + int(rng.integers(20, 500)))
        shape = (draw.ellipse, draw.rectangle)[int(rng.integers(2))]
        shape(box, fill=_colour(rng, 0, 256), outline=_colour(rng, 0, 256) if rng.random() < 0.5 else None, width=5)
    size = int(rng.integers(40, 130))
    font, y = _font(rng, size), int(rng.integers(20, 300))
    ink = (255, 255, 255) if rng.random() < 0.5 else _colour(rng, 0, 256)
    for line in words.page(rng, int(rng.integers(1, 7))):
        draw.text((int(rng.integers(20, 60)), y), line[: int(2 * side[0] / size)], ink, font)
        y += round(size * 1.25)
    return image


def scan(rng: Generator, words: Words) -> Image.Image:
    """A printed page as a scanner or a telephone sees it: tilt, shade, soft ink, grain."""
    image = Image.new("RGB", (900, 1240), (255, 255, 255))
    draw, size = ImageDraw.Draw(image), int(rng.integers(15, 28))
    font, y = _font(rng, size), 90
    while y < 1130:
        for line in words.page(rng, int(rng.integers(2, 8))):
            draw.text((90, y), line[: int(1250 / size)], (25, 25, 30), font)
            y += round(size * 1.5)
        y += size
    if rng.random() < 0.4:
        x, top = int(rng.integers(100, 600)), int(rng.integers(100, 1000))
        draw.ellipse((x, top, x + 160, top + 160), outline=_colour(rng, 30, 200), width=6)
    image = image.rotate(rng.normal(0, 2), Image.Resampling.BICUBIC, fillcolor=(225, 225, 220))
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2))))
    page = np.asarray(image, np.float32)
    shade = np.linspace(rng.uniform(0.7, 1), rng.uniform(0.85, 1), page.shape[1])[None, :, None]
    tint = rng.uniform(0.9, 1, 3) if rng.random() < 0.6 else np.ones(3)
    page = page * shade * tint + rng.normal(0, rng.uniform(1, 6), page.shape)
    image = Image.fromarray(page.clip(0, 255).astype(np.uint8))
    return image.convert("L").convert("RGB") if rng.random() < 0.4 else image


def emoji(rng: Generator, _words: Words) -> Image.Image:
    """One coloured sign, or a page of them."""
    (path,) = (folder() / "x/fonts-noto-color-emoji").glob("**/*.ttf")
    font = ImageFont.truetype(str(path), 109)  # the size that the file holds
    count = int(rng.choice([1, 1, 4, 9]))
    across = math.isqrt(count)
    image = Image.new("RGB", (across * 160, across * 150), _theme(rng)[0])
    for k in range(count):
        sign = chr(int(rng.integers(0x1F300, 0x1F64F)))
        place = (12 + k % across * 160, 12 + k // across * 150)
        ImageDraw.Draw(image).text(place, sign, font=font, embedded_color=True)
    return image.resize((image.width * 4 // across, image.height * 4 // across)) if across < 3 else image


def chart(rng: Generator, words: Words) -> Image.Image:
    """A figure with axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(float(rng.uniform(4, 10)), float(rng.uniform(3, 8))), dpi=100)
    figure.set_facecolor(tuple(c / 255 for c in _theme(rng)[0]))
    axes = figure.add_subplot()
    n, kind = int(rng.integers(4, 60)), int(rng.integers(8))
    values = np.cumsum(rng.normal(0, 1, (int(rng.integers(1, 6)), n)), 1)
    if kind == 0:
        axes.plot(values.T)
    elif kind == 1:
        axes.bar(np.arange(n), np.abs(values[0]), color=rng.random(3))
    elif kind == 2:
        axes.scatter(rng.normal(0, 1, 9 * n), rng.normal(0, 1, 9 * n), c=rng.random(9 * n), s=40 * rng.random(9 * n))
    elif kind == 3:
        axes.pie(np.abs(values[0, :8]) + 0.1, labels=[w[:9] for w in words.page(rng, min(n, 8))])
    elif kind == 4:
        axes.imshow(rng.random((n, n)).cumsum(0), cmap=str(rng.choice(["viridis", "magma", "coolwarm", "Greys"])))
    elif kind == 5:
        axes.hist(rng.normal(0, 1, (400, 2)), bins=n)
    elif kind == 6:
        axes.stackplot(np.arange(n), np.abs(values))
    else:
        x, y = np.meshgrid(np.linspace(-3, 3, 50), np.linspace(-3, 3, 50))
        axes.contourf(x, y, np.sin(x * rng.uniform(0.5, 2)) + np.cos(y * x / 2), 12)
    axes.set_title(words.page(rng, 1)[0][:30])
    if rng.random() < 0.5:
        axes.grid()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


MADE: dict[str, tuple[Callable[[Generator, Words], Image.Image], int]] = {
    "text": (text, 160),
    "chat": (chat, 90),
    "table": (table, 90),
    "slogan": (slogan, 120),
    "scan": (scan, 120),
    "emoji": (emoji, 70),
    "chart": (chart, 160),
}


def flat(path: Path, rng: Generator) -> Image.Image:
    """A picture file without transparency, over white or one colour; vector files drawn at 512 px by rsvg-convert."""
    if path.suffix == ".svg":
        command = ["rsvg-convert", "--keep-aspect-ratio", "--width=512", "--height=512", str(path)]
        drawn = subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        image = Image.open(io.BytesIO(drawn.stdout))
    else:
        image = Image.open(path)
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, (255, 255, 255) if rng.random() < 0.6 else _theme(rng)[0])
    paper.alpha_composite(image)
    return paper.convert("RGB")


def sources() -> Iterator[tuple[str, list[Path], int]]:
    """Group, its files in a fixed random order, and how many to take."""
    for group, (patterns, count) in PACKAGED.items():
        found = sorted({p for pattern in patterns for p in (folder() / "x").glob(pattern) if p.is_file()})
        order = np.random.default_rng((SEED, len(group))).permutation(len(found))
        yield group, [found[k] for k in order], count
    for place in sorted((folder() / "extra").iterdir()):
        yield place.name, sorted(place.iterdir()), 150


def collect() -> None:
    """Writes all/GROUP/NUMBER.png, long side at most 1024 px. Groups that are there are left alone."""
    words = Words()
    for group, (make, count) in MADE.items():
        target = folder() / "all" / group
        if not target.exists():
            target.mkdir(parents=True)
            for k in range(count):
                made = make(np.random.default_rng((SEED, k, *group.encode())), words)
                made.thumbnail((LONGEST, LONGEST))
                made.save(target / f"{k:03}.png", compress_level=1)
            print(group, count, flush=True)
    for group, paths, count in sources():
        target = folder() / "all" / group
        if target.exists():
            continue
        target.mkdir(parents=True)
        taken, rng = 0, np.random.default_rng((SEED, *group.encode()))
        for path in paths:
            try:
                image = flat(path, rng)
            except (OSError, subprocess.CalledProcessError):
                continue  # not a picture, or one of a kind that Pillow does not read
            if min(image.size) < SMALLEST or np.asarray(image.convert("L")).std() < 8:
                continue
            image.thumbnail((LONGEST, LONGEST))
            image.save(target / f"{taken:03}.png", compress_level=1)
            taken += 1
            if taken == count:
                break
        print(group, taken, "of", len(paths), flush=True)


@dataclass(frozen=True, slots=True)
class Graphic:
    """One collected graphic and the package or script that it came from."""

    path: Path
    group: str


def graphics() -> list[Graphic]:
    """All that `collect` wrote, in a fixed order. Raises FileNotFoundError when there is nothing."""
    found = [Graphic(p, p.parent.name) for p in sorted((folder() / "all").glob("*/*.png"))]
    if not found:
        raise FileNotFoundError("run `python -m models.training.graphics` first")
    return found


def as_labelled(image: Image.Image, rng: Generator) -> Image.Image:
    """What was done to the labelled pictures that were never a JPEG: saved as one, shrunk to 512 px, saved again."""
    image = Image.open(io.BytesIO(degrade.jpeg(image, int(rng.integers(75, 96))))).convert("RGB")
    image.thumbnail((512, 512), Image.Resampling.LANCZOS)
    return Image.open(io.BytesIO(degrade.jpeg(image, 84))).convert("RGB")


if __name__ == "__main__":
    collect()
