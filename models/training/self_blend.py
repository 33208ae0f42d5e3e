"""Faces blended onto themselves: examples of swapped faces made from photographs, without any tool that swaps faces.

The idea is Shiohara and Yamasaki's ("Detecting Deepfakes with Self-Blended Images", CVPR 2022): what every swap leaves
is a region whose colour, sharpness and geometry disagree a little with what surrounds it. NumPy and Pillow only.

A face comes as a patch of its picture, (h, w, 3) uint8, with its box (x, y, width, height) in the patch's pixels.
"""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image, ImageFilter

from detectors.inference.faces import Box, Pixels, square
from models.training.degrade import FILTERS, jpeg

Floats = npt.NDArray[np.float32]

SMALLEST, LARGEST = 64.0, 170.0  # px: the longer sides of boxes after degradation
PARTS = (  # centre and half axes in units of half the box, from the box's centre: what swaps usually replace
    (0.0, 0.10, 0.85, 0.90),  # the face
    (0.0, 0.15, 0.68, 0.68),  # from the eyebrows to the lower lip
    (0.0, 0.10, 0.75, 0.75),
    (0.0, -0.12, 0.75, 0.32),  # the eyes
    (0.0, 0.52, 0.48, 0.34),  # the mouth
    (0.0, 0.35, 0.50, 0.55),  # nose and mouth
)
PART_WEIGHTS = (0.3, 0.25, 0.2, 0.08, 0.09, 0.08)


def recoloured(pixels: Floats, rng: Generator) -> Floats:
    """Other gain, offset, contrast and saturation, as between two cameras, two lights or two pictures of a face."""
    strength = rng.uniform(0.3, 1.0)
    grey = pixels.mean(2, keepdims=True)
    out = grey + (pixels - grey) * np.float32(1 + strength * rng.uniform(-0.3, 0.3))
    mean = out.mean((0, 1))
    out = (out - mean) * np.float32(1 + strength * rng.uniform(-0.18, 0.18)) + mean
    out = out * (1 + strength * rng.uniform(-0.1, 0.1) + strength * rng.uniform(-0.06, 0.06, 3)).astype(np.float32)
    out = out + (strength * rng.uniform(-16, 16, 3)).astype(np.float32)
    return np.asarray(np.clip(out, 0, 255), np.float32)


def refocused(image: Image.Image, face: float, rng: Generator) -> Image.Image:
    """Softer or harsher: a synthesised face has a resolution of its own. `face` is the longer side of its box, px."""
    kind = rng.choice(4, p=(0.45, 0.2, 0.2, 0.15))
    if kind == 0:  # through a smaller picture, as networks that draw 64 to 128 px faces do
        share = min(0.9, rng.uniform(28, 110) / face)
        small = image.resize((max(8, round(image.width * share)), max(8, round(image.height * share))), FILTERS[1])
        return small.resize(image.size, FILTERS[int(rng.integers(3))])
    if kind == 1:
        return image.filter(ImageFilter.GaussianBlur(face / 160 * rng.uniform(0.5, 2.0)))
    if kind == 2:
        return image.filter(ImageFilter.UnsharpMask(rng.uniform(1, 3), int(rng.uniform(60, 180)), 0))
    return Image.open(io.BytesIO(jpeg(image, int(rng.integers(30, 80))))).convert("RGB")


def moved(image: Image.Image, box: Box, rng: Generator) -> Image.Image:
    """Shifted by a few hundredths of the box, turned by up to 4 degrees, scaled by up to 6 % about the box's centre."""
    x, y, w, h = box
    cx, cy = x + w / 2, y + h / 2
    angle, (sx, sy) = math.radians(rng.uniform(-4, 4)), 1 / rng.uniform(0.94, 1.06, 2)
    dx, dy = rng.uniform(-0.04, 0.04) * w, rng.uniform(-0.03, 0.03) * h
    a, b, c, d = sx * math.cos(angle), -sx * math.sin(angle), sy * math.sin(angle), sy * math.cos(angle)
    back = (a, b, cx + dx - a * cx - b * cy, c, d, cy + dy - c * cx - d * cy)
    return image.transform(image.size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)


def mask(size: tuple[int, int], box: Box, rng: Generator) -> Floats:
    """How much of each pixel of a patch of `size` (width, height) is replaced, (h, w, 1) in 0..1.

    One of PARTS, bent out of shape, with a hard or soft edge, and at times not fully opaque.
    """
    x, y, w, h = box
    u = (np.arange(size[0], dtype=np.float32) - x - w / 2) / (w / 2)
    v = (np.arange(size[1], dtype=np.float32) - y - h / 2) / (h / 2)
    cu, cv, au, av = np.array(PARTS[int(rng.choice(len(PARTS), p=PART_WEIGHTS))]) * rng.uniform(0.88, 1.12, 4)
    power = rng.choice((2.0, 2.0, 3.0, 6.0))  # an ellipse, or a box with round corners
    turn = math.radians(rng.uniform(-8, 8))
    right = (u - cu)[np.newaxis] * math.cos(turn) + (v - cv)[:, np.newaxis] * math.sin(turn)
    down = (v - cv)[:, np.newaxis] * math.cos(turn) - (u - cu)[np.newaxis] * math.sin(turn)
    radius = ((np.abs(right) / au) ** power + (np.abs(down) / av) ** power) ** (1 / power)
    bumps = Image.fromarray(rng.normal(0, rng.uniform(0.03, 0.16), (7, 7)).astype(np.float32))
    field = 1 - radius + np.asarray(bumps.resize(size, Image.Resampling.BICUBIC))
    soft = math.exp(rng.uniform(math.log(0.03), math.log(0.5)))
    opaque = rng.choice((0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0))
    return np.asarray(np.clip(field / soft + 0.5, 0, 1)[:, :, np.newaxis] * opaque, np.float32)


def blended(patch: Pixels, box: Box, rng: Generator, other: tuple[Pixels, Box] | None = None) -> Pixels:
    """The patch with a changed copy of its own face blended in; or with the face of `other`, recoloured to fit.

    At times the surroundings are changed in place of the face, so that no one look is the sign, only the difference.
    """
    original = Image.fromarray(patch)
    source = original if other is None else fitted(other, patch, box)
    inside = other is not None or rng.random() < 0.65
    changed = source if inside else original
    colour, focus = rng.random() < 0.8, rng.random() < 0.75
    if colour:
        changed = Image.fromarray(recoloured(np.asarray(changed, np.float32), rng).astype(np.uint8))
    if focus or not colour:
        changed = refocused(changed, max(box[2:]), rng)
    inner, outer = (changed, original) if inside else (source, changed)
    inner = moved(inner, box, rng)
    m = mask(inner.size, box, rng)
    both = np.asarray(inner, np.float32) * m + np.asarray(outer, np.float32) * (1 - m)
    return np.asarray(np.clip(both + 0.5, 0, 255), np.uint8)


def fitted(other: tuple[Pixels, Box], patch: Pixels, box: Box) -> Image.Image:
    """Another face, brought to the place, size, mean colour and contrast of the face in `patch`; the patch's size."""
    pixels, (ox, oy, ow, oh) = other
    x, y, w, h = box
    sx, sy = ow / w, oh / h
    size = (patch.shape[1], patch.shape[0])
    back = (sx, 0.0, ox - sx * x, 0.0, sy, oy - sy * y)
    image = Image.fromarray(pixels).transform(size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)
    top, left = max(0, int(y + 0.2 * h)), max(0, int(x + 0.2 * w))
    inner = (slice(top, int(y + 0.85 * h)), slice(left, int(x + 0.8 * w)))
    new, old = np.asarray(image, np.float32), patch.astype(np.float32)
    spread = (old[inner].std((0, 1)) + 2) / (new[inner].std((0, 1)) + 2)
    new = (new - new[inner].mean((0, 1))) * np.clip(spread, 0.5, 2.0) + old[inner].mean((0, 1))
    return Image.fromarray(np.clip(new, 0, 255).astype(np.uint8))


def degraded(faces: list[Pixels], box: Box, side: int, rng: Generator) -> Pixels:
    """Patches of one face, degraded in one and the same way and cut: (n, side, side, 3).

    Size is drawn from one distribution, then colour, focus, and up to two saves as JPEG 60-95; the cut is shifted and
    scaled by some hundredths, since boxes are never exact. What is done follows from `rng` and `box`, not the pixels.
    """
    x, y, w, h = box
    face = max(w, h)
    target = math.exp(rng.uniform(math.log(SMALLEST), math.log(max(SMALLEST, min(LARGEST, face)))))
    scale = min(1.0, target / face)
    method, flip = FILTERS[int(rng.integers(len(FILTERS)))], rng.random() < 0.5
    tone, focus = (rng.integers(2**32) if rng.random() < share else None for share in (0.5, 0.3))
    qualities = [int(q) for q in rng.integers(60, 96, int(rng.choice(3, p=(0.15, 0.55, 0.3))))]
    grow, shift = rng.uniform(0.8, 1.1), rng.uniform(-0.05, 0.05, 2)
    out = []
    for pixels in faces:
        image = Image.fromarray(pixels)
        if tone is not None:
            toned = recoloured(pixels.astype(np.float32), np.random.default_rng(tone))
            image = Image.fromarray(toned.astype(np.uint8))
        if scale < 1:
            image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), method)
        if focus is not None:
            image = refocused(image, face * scale, np.random.default_rng(focus))
        for quality in qualities:
            image = Image.open(io.BytesIO(jpeg(image, quality))).convert("RGB")
        small = np.asarray(image)
        sx, sy = small.shape[1] / pixels.shape[1], small.shape[0] / pixels.shape[0]
        width, height = w * grow, h * grow
        left, top = x + (w - width) / 2 + shift[0] * w, y + (h - height) / 2 + shift[1] * h
        cut = square(small, (left * sx, top * sy, width * sx, height * sy), side)
        out.append(cut[:, ::-1] if flip else cut)
    return np.stack(out)
