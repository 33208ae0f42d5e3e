"""The `models` verb: public detectors that a person has fetched herself, added, calibrated, counted and removed."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from desktop import settings, words
from desktop.cli import DONE, INTERRUPTED, SOME_NOT
from desktop.safety import age_gate
from detectors.errors import CounterproofError, FileRefused
from detectors.inference.manifest import Presence
from detectors.inputs import find_inputs, read_file
from detectors.intake.limits import Limits
from detectors.scan import cores
from detectors.third_party import ask, card, store

if TYPE_CHECKING:
    import argparse

    from detectors.third_party.store import Added, Calibration

_EPILOG = """\
A detector that you add is shown beside Counterproof's own findings, and never counted. It takes part in verdicts only
after you have calibrated it on pictures of your own and have said so (--count-it).

examples:
  counterproof models add detector.onnx --card detector.toml
  counterproof models calibrate detector --real my-photos --synthetic known-fakes
  counterproof models list

docs/bring-your-own-model.md says how to write a card. Counterproof never fetches a model: that is for you to do.
exit status: 0 done, 1 not done (the reason is on standard error), 2 the command was not understood"""

EXAMPLE = """\
name = "my-detector"            # a-z, 0-9, dot, dash, underscore
source = "where I got it, and when"
licence = "MIT"
sha256 = "…"                    # optional, 64 digits

[input]
width = 224                     # pixels
height = 224
layout = "NCHW"                 # or NHWC
channels = "RGB"                # or BGR
resize = "centre_crop"          # or squash, five_crops, letterbox (with pad = 0 to 255)
shorter_side = 256              # for the two crops: pixels before the crop, or 0 for no resizing
filter = "bilinear"             # or bicubic, lanczos, nearest
divide_by = 255                 # a value of 0 to 255 becomes (value / divide_by - mean) / std
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]

[output]
activation = "sigmoid"          # or softmax (with index), probability
index = 0                       # which number, counted from 0
synthetic = "high"              # or low: which end means synthetic
"""

_STATE = {
    Presence.OK: "",
    Presence.MISSING: "Its file is missing, so it is not used. Remove it and add it again.",
    Presence.ALTERED: "Its file has been changed since it was added, so it is not used. Remove it.",
}
# In folds that did not set the threshold. Such a model would wrong more photographs than all shipped ones together.
_MOST_FALSE = 0.05


def arguments(verbs: Any) -> None:
    """Add the verb and its own verbs to the parser's."""
    import argparse

    models = verbs.add_parser(
        "models",
        help="add, list, calibrate or remove other detectors (ONNX files)",
        description="Other detectors, as ONNX files that you have fetched yourself.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = models.add_subparsers(dest="models_verb", metavar="VERB", required=True)
    add = kinds.add_parser(
        "add",
        help="check a model in a process of its own, and keep a copy",
        description="Check a model in a process of its own, and keep a copy of it.",
        epilog=f"A card, whose words all come from the model's own page or code:\n\n{EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("file", metavar="FILE.onnx", help="the model, one file")
    add.add_argument("--card", required=True, metavar="CARD.toml", help="how it wants pictures, and what it answers")
    listing = kinds.add_parser("list", help="show the added models and whether they are in order")
    listing.add_argument("--json", action="store_true", help="print the list as one JSON object")
    remove = kinds.add_parser("remove", help="delete an added model and what was measured of it")
    remove.add_argument("name", metavar="NAME")
    calibrate = kinds.add_parser("calibrate", help="measure a model on your own labelled pictures")
    calibrate.add_argument("name", metavar="NAME")
    calibrate.add_argument("--real", required=True, metavar="DIR", help="a folder of at least 50 photographs")
    calibrate.add_argument("--synthetic", required=True, metavar="DIR", help="a folder of at least 50 synthetic ones")
    calibrate.add_argument("--count-it", action="store_true", help="from now on it takes part in verdicts")
    age_gate.arguments(calibrate)
    stop = kinds.add_parser("stop-counting", help="show a model again without counting it")
    stop.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """Run one of the verbs and return the exit status."""
    verbs: dict[str, Callable[[argparse.Namespace], None]] = {
        "add": _add,
        "list": _list,
        "remove": _remove,
        "calibrate": _calibrate,
        "stop-counting": _stop_counting,
    }
    try:
        if args.models_verb == "calibrate" and not age_gate.scan_may_start(args):
            return SOME_NOT
        verbs[args.models_verb](args)
    except CounterproofError as e:
        sys.stderr.write(f"{words.visible(e.message)} {words.visible(e.remedy)}\n")
        return SOME_NOT
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


def _add(args: argparse.Namespace) -> None:
    wanted = card.parse(read_file(args.card, Limits(max_bytes=card.MAX_CARD_BYTES)))
    try:
        data = read_file(args.file, Limits(max_bytes=store.MAX_MODEL_BYTES))
    except FileRefused as e:
        if e.code != "too_many_bytes":
            raise
        raise FileRefused(
            "model_too_large",
            f"The model is larger than {store.MAX_MODEL_BYTES >> 20} MB, so it was not opened.",
            "Look for a smaller version, or export it in half precision (float16).",
        ) from e
    added = store.new(wanted, data)
    ms = ask.check(data, wanted, settings.load().limits, cores())
    store.add(replace(added, ms=ms), data)
    _say(f"Added “{added.name}” ({len(data) / 1e6:.1f} MB, SHA-256 {added.sha256}).")
    _say(f"Its copy lies in {words.visible(str(added.folder))}. One picture took it {ms:.0f} ms.")
    _say("It is shown with every picture from now on, and not counted: how often it is wrong is not known here.")
    _say(f"To find out: counterproof models calibrate {added.name} --real DIR --synthetic DIR")


def _list(args: argparse.Namespace) -> None:
    rows = [_row(added) for added in store.installed()]
    if args.json:
        sys.stdout.write(json.dumps({"schema": "counterproof.models/1", "models": rows}, indent=1) + "\n")
        return
    if not rows:
        _say("No models are added.")
    for row in rows:
        _say(words.visible(row["name"]))
        _say(f"  {row['says']}")
        if row["sha256"]:
            _say(f"  SHA-256 {row['sha256']}, {row['bytes'] / 1e6:.1f} MB, {row['ms']:.0f} ms a picture")
        if row["source"]:
            _say(f"  from {words.visible(row['source'])}; licence: {words.visible(row['licence'])}")
        if row["measured"]:
            _say(f"  {row['measured']}")


def _row(added: Added) -> dict[str, Any]:
    """One model for the list."""
    presence = added.presence()
    problem = added.problem or _STATE[presence]
    says = "Calibrated, and counted in verdicts." if added.counted else "Calibrated; shown and not counted."
    if added.calibration is None:
        says = "Not calibrated; shown and not counted."
    return {
        "name": added.name,
        "detector": added.detector,
        "state": "unreadable" if added.problem else str(presence),
        "says": problem or says,
        "counted": added.counted and not problem,
        "sha256": added.sha256,
        "bytes": added.bytes,
        "ms": round(added.ms, 1),
        "source": added.card.source if added.card else "",
        "licence": added.card.licence if added.card else "",
        "measured": added.calibration.measured if added.calibration else "",
        "calibration": asdict(added.calibration) if added.calibration else None,
    }


def _remove(args: argparse.Namespace) -> None:
    added = store.find(args.name)
    store.remove(added)
    _say(f"Removed “{added.name}”.")


def _stop_counting(args: argparse.Namespace) -> None:
    added = _usable(args.name)
    store.save(replace(added, counts=False))
    _say(f"“{added.name}” is shown and no longer counted.")


def _usable(name: str) -> Added:
    """The model of this name. Raises FileRefused when there is none, or it is not in order."""
    added = store.find(name)
    if problem := added.problem or _STATE[added.presence()]:
        raise FileRefused("model_not_in_order", problem, f"To remove it: counterproof models remove {name}")
    return added


def _calibrate(args: argparse.Namespace) -> None:
    added = _usable(args.name)
    raw, labels, groups = _scores(added, args.real, args.synthetic)
    from detectors.third_party import figures

    found = figures.calibrated(raw, labels, groups)
    _report(found)
    refusal = _why_not_counted(found) if args.count_it else None
    store.save(replace(added, calibration=found, counts=args.count_it and refusal is None))
    if refusal is not None:
        raise refusal
    if args.count_it:
        _say(f"“{added.name}” takes part in verdicts from now on, and each of them says so.")
        _say(f"To change that: counterproof models stop-counting {added.name}")
    else:
        _say(
            f"“{added.name}” is shown with this probability, and not counted. --count-it lets it take part in verdicts."
        )


def _why_not_counted(found: Calibration) -> FileRefused | None:
    """Why a calibrated model should not take part in verdicts, or None."""
    kept = " The measurement is kept, and the model is shown and not counted."
    if found.false_positive_rate > _MOST_FALSE:
        return FileRefused(
            "too_many_false_positives",
            f"Photographs that set no threshold were wrongly placed too often to count this model.{kept}",
            "Calibrate it again with more photographs, from as many different sources as you can.",
        )
    if found.recall == 0:
        return FileRefused(
            "finds_nothing",
            f"With at most 1 % of your photographs wrongly placed, it finds none of the synthetic pictures.{kept}",
            "This model has nothing to add on pictures like yours.",
        )
    return None


def _report(found: Calibration) -> None:
    """The measurement on standard output."""
    _say(f"Photographs: {found.n_real}. Synthetic pictures: {found.n_synthetic}.")
    _say(f"Area under the ROC curve: {found.auc:.3f} (95 % interval {found.auc_low:.3f} to {found.auc_high:.3f}).")
    whole = "whole folders" if found.held_out == "folders" else "single pictures"
    _say(f"By five folds that hold out {whole}, at a threshold set for 1 % false positives:")
    _say(f"  synthetic pictures found (recall): {found.recall * 100:.1f} %")
    most = f"{found.false_positive_bound * 100:.1f} %"
    _say(f"  false positives: {found.false_positive_rate * 100:.1f} % (with so many pictures, up to {most})")
    _say(f"  calibration error: {found.calibration_error:.3f}")


def _scores(added: Added, real: str, synthetic: str) -> tuple[Any, Any, list[str]]:
    """Raw scores (n,), labels (n,) and groups of all usable pictures in two folders, each content once.

    Raises CounterproofError.
    """
    import numpy as np

    chosen = settings.load()
    seen: dict[str, int] = {}
    raw: list[float] = []
    labels: list[int] = []
    groups: list[str] = []
    missed: list[str] = []
    jobs = chosen.jobs or cores()
    model = ask.Model(added, chosen.limits, max(1, cores() // jobs))
    stop = threading.Event()

    def one(path: str) -> tuple[str, float] | CounterproofError:
        try:
            data = read_file(path, chosen.limits)
            sha256 = hashlib.sha256(data).hexdigest()
            return sha256, model.raw(data, sha256, over=stop.is_set)[0]
        except CounterproofError as e:
            return e

    try:
        with ThreadPoolExecutor(jobs, thread_name_prefix="calibrate") as pool:
            try:
                for label, folder in enumerate((real, synthetic)):
                    paths = list(_pictures(folder))
                    for n, (path, got) in enumerate(zip(paths, pool.map(one, paths), strict=True), 1):
                        _progress(f"{'photographs' if label == 0 else 'synthetic pictures'}: {n} of {len(paths)}")
                        if isinstance(got, CounterproofError):
                            missed.append(f"{words.visible(path)}: {words.visible(got.message)}")
                            continue
                        if seen.get(got[0], label) != label:
                            raise _in_both(path)
                        if got[0] in seen:
                            continue
                        seen[got[0]] = label
                        raw.append(got[1])
                        labels.append(label)
                        groups.append(os.path.dirname(os.path.relpath(path, folder)))
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                model.kill_busy()
                raise
    finally:
        model.close()
        _progress("")
    for line in missed[:5]:
        sys.stderr.write(f"Not used: {line}\n")
    if missed[5:]:
        sys.stderr.write(f"Not used: {len(missed) - 5} more.\n")
    return np.array(raw, np.float64), np.array(labels, np.int64), groups


def _pictures(folder: str) -> Iterator[str]:
    """The files in a folder. Raises FileRefused when it is none."""
    if not os.path.isdir(folder):
        raise FileRefused("no_such_folder", f"There is no folder {folder}.", "Name a folder of labelled pictures.")
    return (i.path for i in find_inputs([folder]) if i.error is None)


def _in_both(path: str) -> FileRefused:
    return FileRefused(
        "picture_in_both_folders",
        f"The same picture is among the photographs and among the synthetic ones ({path}).",
        "Take it out of the folder where it does not belong.",
    )


def _progress(text: str) -> None:
    """One changing line on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
