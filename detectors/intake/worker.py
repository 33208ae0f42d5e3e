"""The worker process: reads frames on stdin, opens untrusted bytes, answers on stdout. Started by intake/process.py.

`python -m detectors.intake.worker`, or the app's own executable with `--worker` where it is frozen.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import IO, Any

from detectors.errors import CounterproofError, FileUnreadable
from detectors.finding import Finding, Profile, Role, State
from detectors.fingerprints import fingerprints
from detectors.inference import manifest, sessions
from detectors.intake import decode, problems, sandbox
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture
from detectors.intake.protocol import error_header, pack, read_frame, write_frame
from detectors.report import Analysis, Hashes
from detectors.signals import Detector, detectors
from detectors.verdict import Band, decide

THUMBNAIL_SIDE = 96
# What is left of a veiled picture: too little to make anything out, enough to tell one row of a list from the next.
_VEILED_SIDE = 10
# What the fast check may settle on its own. All else is looked at once more where there is a choice.
_SETTLED = frozenset({Band.NO_SIGNS, Band.DECLARED_SYNTHETIC, Band.MATCHED_SOURCE})
_MAX_METADATA = 200
_MAX_METADATA_TEXT = 4000


def main() -> int:
    """Serve until stdin ends. Returns the exit status."""
    requests, answers = _streams()
    header, _ = read_frame(requests, 0)
    limits = Limits(**header["limits"])
    decode.init()
    detectors()
    protections = sandbox.lock(limits)
    write_frame(answers, {"ready": [p.to_json() for p in protections]})
    while True:
        try:
            header, data = read_frame(requests, limits.max_bytes)
        except EOFError:
            return 0
        sandbox.allow_cpu(limits)
        answers.write(answer(header, data, limits))
        answers.flush()


def answer(header: Mapping[str, Any], data: bytes, limits: Limits) -> bytes:
    """The answering frame for one request. Whatever goes wrong with the file is in the frame, not raised."""
    try:
        if header["op"] == "preview":
            return pack(*preview(data, header["sha256"], limits, header["longest"], header["blurred"]))
        # OpenCV is loaded for the next three alone: a scan has no use for it.
        if header["op"] == "fingerprint":
            return pack(fingerprint(data, header["sha256"], limits))
        if header["op"] in ("source_features", "source_compare"):
            from detectors.fingerprints import source_compare

            return pack(*source_compare.answer(header, data, limits))
        if header["op"] in ("third_party", "check_model"):
            return pack(_third_party(header, data, limits))
        return pack(*analyse(data, header["sha256"], limits, Profile(header["profile"]), header["thumbnail"]))
    except CounterproofError as e:
        return pack(error_header(e))
    except MemoryError:
        return pack(error_header(problems.needs_too_much_memory()))
    except Exception as e:  # noqa: BLE001 - hostile bytes reach many libraries: one file may fail, the run may not
        print(f"analysis failed: {type(e).__name__}: {e}", file=sys.stderr)
        return pack(error_header(_failed(e)))


def analyse(
    data: bytes, sha256: str, limits: Limits, profile: Profile, thumbnail: bool
) -> tuple[dict[str, Any], bytes]:
    """Header and payload (a JPEG, or empty) for one file's bytes. Raises CounterproofError."""
    started, models_before = time.perf_counter(), sessions.model_ms()
    picture = decode.decode(data, sha256, limits)
    findings, decided = _findings(picture, profile)
    hashes = _hashes(picture)
    small = _jpeg(_veiled(picture, THUMBNAIL_SIDE)) if thumbnail else b""
    analysis = Analysis(
        media=picture.media,
        hashes=hashes,
        findings=findings,
        ms=(time.perf_counter() - started) * 1000,
        model_ms=sessions.model_ms() - models_before,
        metadata=_metadata(picture),
        profile=decided,
    )
    return {"analysis": analysis.to_record()}, small


def preview(data: bytes, sha256: str, limits: Limits, longest: int, blurred: bool) -> tuple[dict[str, Any], bytes]:
    """Header and RGB bytes (height x width x 3) of a picture at most `longest` px. Raises CounterproofError."""
    from PIL import Image

    picture = decode.decode(data, sha256, limits)
    if blurred:
        image = _veiled(picture, longest).convert("RGB")
    else:
        image = Image.fromarray(picture.rgb)
        image.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return {"width": image.width, "height": image.height}, image.tobytes()


def fingerprint(data: bytes, sha256: str, limits: Limits) -> dict[str, Any]:
    """The answer with hashes and views of one file's bytes. Loads no model. Raises CounterproofError."""
    from detectors.fingerprints.views import views

    picture = decode.decode(data, sha256, limits)
    hashes = _hashes(picture)
    whole = None if hashes.pdq is None or hashes.pdq_quality is None else (hashes.pdq, hashes.pdq_quality)
    parts = (replace(v, box=picture.box_at_full_size(*v.box)) for v in views(picture.rgb, whole))
    found = {
        "media": picture.media.to_record(),
        "hashes": hashes.to_record(),
        "views": [v.to_json() for v in parts],
    }
    return {"fingerprint": found}


def _third_party(header: Mapping[str, Any], data: bytes, limits: Limits) -> dict[str, float]:
    """What an added model says of a picture's bytes, or a trial of a model's own bytes. Raises CounterproofError."""
    from detectors.inference import third_party
    from detectors.third_party.card import Card

    if header["op"] == "check_model":
        return third_party.check(data, Card.from_json(header["card"]))
    started, model = time.perf_counter(), header["model"]
    picture = decode.decode(data, header["sha256"], limits)
    raw = third_party.ask(model["path"], model["sha256"], Card.from_json(model["card"]), picture.rgb)
    return {"raw": raw, "ms": (time.perf_counter() - started) * 1000}


def _findings(picture: Picture, profile: Profile) -> tuple[tuple[Finding, ...], Profile]:
    """All findings, and the check that the learned ones rest on. Raises SetupError when no error rates are known."""
    if profile is not Profile.CASCADE:
        return tuple(_find(detector, picture, profile) for detector in detectors().values()), profile
    quick, _ = _findings(picture, Profile.FAST)
    if decide(quick, manifest.operating_points(Profile.FAST)).band in _SETTLED:
        return quick, Profile.FAST
    pairs = zip(detectors().values(), quick, strict=True)
    return tuple(_again(d, picture, f) if d.role is Role.LEARNED else f for d, f in pairs), Profile.THOROUGH


def _again(detector: Detector, picture: Picture, quick: Finding) -> Finding:
    """The thorough finding in place of the quick one; both took their time."""
    thorough = _find(detector, picture, Profile.THOROUGH)
    return thorough.timed(thorough.ms + quick.ms)


def _find(detector: Detector, picture: Picture, profile: Profile) -> Finding:
    """One detector's finding, with its duration. A detector that fails says so and leaves the others alone."""
    started = time.perf_counter()
    try:
        finding = detector.find(picture, profile)
    except CounterproofError as e:
        finding = _did_not_run(detector, e.message)
    except Exception as e:  # noqa: BLE001 - one detector's failure is a finding of its own, never the end of the run
        print(f"{detector.name} failed: {type(e).__name__}: {e}", file=sys.stderr)
        finding = _did_not_run(detector, f"it stopped with an internal error ({type(e).__name__}).")
    return finding.timed((time.perf_counter() - started) * 1000)


def _did_not_run(detector: Detector, why: str) -> Finding:
    """A failed finding."""
    return Finding(detector.name, detector.role, State.FAILED, None, f"The check “{detector.name}” did not run: {why}")


def _hashes(picture: Picture) -> Hashes:
    """The fingerprints; where the picture's cannot be made, those of the bytes and a note that says so."""
    try:
        return fingerprints(picture)
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as e:
        print(f"fingerprints failed: {type(e).__name__}: {e}", file=sys.stderr)
        md5 = hashlib.md5(picture.data, usedforsecurity=False).hexdigest()
        return Hashes(picture.sha256, md5, note="The picture's own fingerprints could not be made.")


def _metadata(picture: Picture) -> dict[str, str]:
    """What the file says of itself, as text for the detail pane: `exif.Model`, `iptc…`, `text.parameters`, `xmp`."""
    sources = (("exif", picture.untrusted_exif), ("iptc", picture.untrusted_iptc), ("text", picture.untrusted_text))
    found = {f"{source}.{key}": value for source, values in sources for key, value in values.items()}
    if picture.untrusted_xmp:
        found["xmp"] = picture.untrusted_xmp
    return {str(k)[:200]: str(v)[:_MAX_METADATA_TEXT] for k, v in list(found.items())[:_MAX_METADATA]}


def _veiled(picture: Picture, longest: int) -> Any:
    """A grey Pillow image at most `longest` px that shows no more than a few soft patches of light and dark."""
    from PIL import Image

    image = Image.fromarray(picture.rgb)
    share = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    image.thumbnail((_VEILED_SIDE, _VEILED_SIDE), Image.Resampling.BOX)
    return image.convert("L").resize(size, Image.Resampling.BICUBIC)


def _jpeg(image: Any) -> bytes:
    """A Pillow image as JPEG."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()


def _failed(e: Exception) -> FileUnreadable:
    """The error for a file that no rule foresaw."""
    return FileUnreadable(
        "analysis_failed",
        f"This file could not be analysed ({type(e).__name__}).",
        "Open it in an image program, save a copy as PNG, and check that copy.",
    )


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes for frames. Descriptors 0 and 1 then lead elsewhere, so that no library's print can break a frame."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


if __name__ == "__main__":
    sys.exit(main())
