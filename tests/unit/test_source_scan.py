"""Reference photos in a scan: the finding, the verdict and its words, the command line, and what goes wrong."""

from __future__ import annotations

import contextlib
import datetime
import json
import shutil
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop import cli, words
from desktop.output import csv, html
from desktop.window import describe
from desktop.window.describe import Wanted
from detectors import wording
from detectors.cache import Cache
from detectors.errors import FileUnreadable, SetupError
from detectors.finding import Finding, Overlay, Region, Role, State
from detectors.fingerprints import source_match as sm
from detectors.inputs import find_inputs
from detectors.intake.limits import Limits
from detectors.report import Report
from detectors.scan import Scanner, ScanOptions
from detectors.verdict import Band, Bands, decide
from tests.unit.test_source_match import SOUND, drawn, jpeg
from tests.unit.test_viewmodel_describe import row

BANDS = Bands(likely=0.9, clear=0.1, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=100, n_synthetic=100)
POINTS = {"generated": BANDS}
QUIET = ["--age", "adults", "--no-cache", "--quiet", "--jobs", "1", "--profile", "fast"]


@pytest.fixture
def folder(tmp_path: Path, demo: Path) -> Path:
    """The demo's source photo, a drawing, a file that is cut short, and one that is no picture."""
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(demo / "10-photo-source.jpg", photos / "2025-05-03 press.jpg")
    (photos / "drawing.jpg").write_bytes(jpeg(drawn(1)))
    shutil.copy(demo / "14-cut-short.jpg", photos)
    (photos / "notes.txt").write_text("not a picture")
    return photos


def options(references: Path, **changes: object) -> ScanOptions:
    return ScanOptions(**{"jobs": 1, "points": POINTS, "references": [str(references)], "added": (), **changes})  # type: ignore[arg-type]


def source(report: Report) -> Finding:
    assert report.analysis is not None
    (found,) = (f for f in report.analysis.findings if f.role is Role.SOURCE)
    return found


def test_a_scan_finds_the_source_and_says_what_was_replaced(tmp_path: Path, demo: Path, folder: Path) -> None:
    photo = demo / "10-photo-source.jpg"
    Image.fromarray(np.asarray(Image.open(photo))[:, ::-1]).save(tmp_path / "mirrored.png")
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "blank.png")
    names = [demo / "11-photo-edited.jpg", photo, tmp_path / "mirrored.png", demo / "01-plain-photo-cat.jpg"]
    cache = Cache(tmp_path / "cache.sqlite")
    with Scanner(options(folder, cache=cache)) as scanner:
        problems = scanner.read_references()
        reports = list(scanner.scan(find_inputs([*map(str, names), str(tmp_path / "blank.png")])))
        (folder / "2025-05-03 press.jpg").write_bytes(jpeg(drawn(2)))  # under our feet
        (late,) = scanner.scan(find_inputs([str(names[0])]))
    with Scanner(options(tmp_path / "mirrored.png", cache=cache)) as scanner:
        (other,) = scanner.scan(find_inputs([str(names[0])]))
    cache.close()
    assert {Path(p.path).name: p.error and p.error.code for p in problems} == {
        "14-cut-short.jpg": "truncated",
        "notes.txt": "not_a_picture",
    }
    edited, same, mirrored, cat, blank = reports

    found = source(edited)
    assert (found.state, found.score, found.details["unaltered"]) == (State.OK, 1.0, False)
    assert found.details["source"]["reference"] == str(folder / "2025-05-03 press.jpg")
    assert found.details["taken"] == "2025-05-03"
    assert {r.kind for r in found.regions} == {"kept", "altered"}
    assert isinstance(found.overlay, Overlay)
    assert found.ms > 0
    assert "your photo “2025-05-03 press.jpg” of 3 May 2025" in found.says
    assert edited.verdict is not None
    assert edited.verdict.band is Band.MATCHED_SOURCE
    assert edited.verdict.reasons[:3] == (found.says, wording.SOURCE_MEASURED, wording.SOURCE_LIMIT)
    line = json.loads(edited.to_line())
    assert line["verdict"] == "matched_source"
    ours = [f for f in line["findings"] if f["detector"] == "source_match"]
    assert ours[0]["source"] == {
        "reference": str(folder / "2025-05-03 press.jpg"),
        "inliers": found.details["source"]["inliers"],
        "mirrored": False,
    }
    usual = {"detector", "state", "score", "says", "regions", "model", "ms"}
    assert ours[0].keys() == usual | {"source"}
    assert all(f.keys() == usual for f in line["findings"] if f["detector"] != "source_match")

    for report, turned in ((same, False), (mirrored, True)):
        copy = source(report)
        assert (copy.score, copy.details["unaltered"], copy.details["source"]["mirrored"]) == (1.0, True, turned)
        assert report.verdict is not None
        assert report.verdict.band is not Band.MATCHED_SOURCE
        assert report.verdict.reasons[0] == copy.says
        assert not copy.regions
        assert copy.overlay is None
        assert "is a copy of your photo" in copy.says
        assert ("mirrored" in copy.says) == turned
    assert (source(cat).score, source(cat).says) == (0.0, wording.source_not_found(2))
    assert "source" not in source(cat).to_json()
    assert (source(blank).state, source(blank).score) == (State.NOT_APPLICABLE, None)

    # The analysis came from the cache, the comparison did not: neither a changed photo nor another folder is missed.
    assert late.cached
    assert source(late).state is State.FAILED
    assert "was changed while the pictures were checked" in source(late).says
    assert other.cached
    assert source(other).details["source"] == {
        "reference": str(tmp_path / "mirrored.png"),
        "inliers": source(other).details["source"]["inliers"],
        "mirrored": True,
    }
    shown = describe.as_text(row(edited), Wanted())
    assert "Comparison with your own photos: Checked. This picture was made from your photo" in shown
    assert "1. Kept from your photo: 0, 0 from the top left corner" in shown
    assert "2. Replaced: " in shown
    assert "source_match" in describe.overlays(edited)
    page = html.row(edited.to_json(), edited, 1)
    assert "Comparison with your own photos" in page
    assert "Kept from your photo" in page
    assert "Replaced" in page
    assert "of 3 May 2025" in " ".join(csv.row(edited.to_json()))


def test_the_command_line(folder: Path, demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scan", str(demo / "11-photo-edited.jpg"), "--references", str(folder), *QUIET]) == 0
    printed = capsys.readouterr()
    said = " ".join(printed.out.split())
    assert "Source photo found" in said
    assert "made from your photo “2025-05-03 press.jpg” of 3 May 2025" in said
    for name in ("14-cut-short.jpg", "notes.txt"):
        assert f"{name} is left out: " in printed.err
    assert printed.err.count("left out") == 2


@pytest.mark.parametrize("kind", ["empty", "missing", "no picture"])
def test_a_folder_without_photos_is_an_error(
    kind: str, tmp_path: Path, demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, kept = tmp_path / "photos", tmp_path / "results.jsonl"
    kept.write_text('{"schema":"counterproof.scan/1"}\n')
    if kind != "missing":
        folder.mkdir()
    if kind == "no picture":
        (folder / "a.txt").write_text("no picture")
    command = ["scan", str(demo / "11-photo-edited.jpg"), "--references", str(folder), *QUIET]
    # Told from the names alone, before any file is opened and before any earlier result is touched.
    status = cli.main([*command, "--jsonl", str(kept)] if kind != "no picture" else command)
    said = capsys.readouterr().err
    assert "your own photos" in said
    assert "Give a folder with at least one photo" in said
    assert status == (cli.USAGE if kind != "no picture" else cli.SOME_NOT)
    if kind != "no picture":
        assert kept.read_text() == '{"schema":"counterproof.scan/1"}\n'


def test_a_cancelled_reading_ends(folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    with Scanner(options(folder)) as scanner:
        with pytest.raises(CancelledError):
            scanner.read_references(stop)
        assert list(scanner.scan(find_inputs([str(folder)]), stop)) == []


def test_reference_photos_can_be_given_changed_and_taken_away_between_scans(
    tmp_path: Path, demo: Path, folder: Path
) -> None:
    inputs = [str(demo / "11-photo-edited.jpg")]
    stop, empty = threading.Event(), tmp_path / "empty"
    stop.set()
    empty.mkdir()
    with Scanner(ScanOptions(jobs=1, points=POINTS, added=())) as scanner:
        (without,) = scanner.scan(find_inputs(inputs))
        used, problems = scanner.use_references([str(folder)])
        (found,) = scanner.scan(find_inputs(inputs))
        with pytest.raises(SetupError):
            scanner.use_references([str(empty)])
        with pytest.raises(CancelledError):
            scanner.use_references([str(folder)], stop)
        (as_before,) = scanner.scan(find_inputs(inputs))
        running = scanner.scan(find_inputs(inputs))
        next(running)
        with pytest.raises(RuntimeError, match="between two scans"):
            scanner.use_references([])
        running.close()  # type: ignore[attr-defined]
        other, _ = scanner.use_references([str(demo / "01-plain-photo-cat.jpg")])
        (not_found,) = scanner.scan(find_inputs(inputs))
        assert scanner.use_references([]) == ((), ())
        (without_again,) = scanner.scan(find_inputs(inputs))
    assert sorted(Path(p).name for p in used) == ["2025-05-03 press.jpg", "drawing.jpg"]
    assert sorted(Path(p.path).name for p in problems) == ["14-cut-short.jpg", "notes.txt"]
    assert [Path(p).name for p in other] == ["01-plain-photo-cat.jpg"]
    assert [source(r).score for r in (found, as_before, not_found)] == [1.0, 1.0, 0.0]
    for report in (without, without_again):
        assert report.analysis is not None
        assert not [f for f in report.analysis.findings if f.role is Role.SOURCE]


def test_a_worker_that_fails_is_said_and_changes_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = sm.Sources([str(folder)], Limits(), 1, 1)

    def broken(*_: object) -> object:
        raise FileUnreadable("worker_died", "The program that opens files stopped.", "Try again.")

    with contextlib.closing(sources):
        monkeypatch.setattr(sources, "read", lambda _: ())
        monkeypatch.setattr(sources, "_features", broken)
        finding = sources.finding(b"", "0" * 64)
        with pytest.raises(CancelledError):
            sources.finding(b"", "0" * 64, lambda: True)
    assert (finding.state, finding.score) == (State.FAILED, None)
    assert finding.says.endswith("did not run: The program that opens files stopped.")
    generated = Finding("generated", Role.LEARNED, State.OK, 0.95, "Looks generated.")
    verdict = decide([generated, finding], POINTS)
    assert verdict.band is Band.LIKELY_SYNTHETIC
    assert finding.says in verdict.reasons


def found(unaltered: object = False, **details: object) -> Finding:
    about = {"unaltered": unaltered, **details} if unaltered is not None else details
    return Finding(sm.NAME, Role.SOURCE, State.OK, 1.0, "Made from your photo.", details=about)


def test_where_a_source_stands_among_the_evidence() -> None:
    declared = Finding("c2pa", Role.DECLARED, State.OK, 1.0, "Says so itself.")
    likely = Finding("generated", Role.LEARNED, State.OK, 0.95, "Looks generated.")
    clear = Finding("generated", Role.LEARNED, State.OK, 0.05, "No signs.")
    none = Finding(sm.NAME, Role.SOURCE, State.OK, 0.0, "Not found.")
    bands = {
        Band.DECLARED_SYNTHETIC: [declared, found(), likely],
        Band.MATCHED_SOURCE: [found(), likely],
        Band.LIKELY_SYNTHETIC: [found(unaltered=True), likely],
        Band.NO_SIGNS: [none, clear],
    }
    for band, findings in bands.items():
        assert decide(findings, POINTS).band is band
    assert decide([found(), clear], POINTS).band is Band.MATCHED_SOURCE
    # The probability is the learned detectors' own, and none where there is none.
    assert decide([found(), clear], POINTS).p_synthetic == pytest.approx(0.05)
    assert decide([found()], POINTS).p_synthetic is None
    assert "Made from your photo." in decide([declared, found()], POINTS).reasons
    assert "Not found." not in decide([none, clear], POINTS).reasons
    # A finding that does not say whether anything differs sets no verdict.
    assert decide([found(unaltered=None), clear], POINTS).band is Band.NO_SIGNS


def test_the_sentence() -> None:
    day = datetime.date(2025, 5, 3)
    says = wording.source_found("x.jpg", day, True, 0.62, [(0.3, 0.5, 0.4, 0.5)], 0.0, 0.8)
    assert says == (
        "This picture was made from your photo “x.jpg” of 3 May 2025, mirrored and cropped to 80 % of it. 62 % of the "
        "picture was kept from it; one region, the lower middle, was replaced (38 % of the picture)."
    )
    says = wording.source_found("x.jpg", None, False, 0.997, [(0, 0, 0.04, 0.04), (0.9, 0.9, 0.03, 0.03)], 0.0, 1.0)
    assert "Over 99 % of the picture was kept from it; 2 regions, the largest the upper left, were replaced" in says
    assert "(under 1 % of the picture)" in says
    copy = wording.source_found("x.jpg", None, False, 1.0, [], 0.0, 1.0)
    assert copy == "This picture is a copy of your photo “x.jpg”. No replaced region was found in it."
    assert wording.source_not_found(1) == "Your reference photo was not found in this picture."


@pytest.mark.parametrize(
    ("box", "where"),
    [
        ((0, 0, 1, 1), "most of the picture"),
        ((0, 0.5, 1, 0.5), "the lower part"),
        ((0, 0.4, 1, 0.2), "the middle from left to right"),
        ((0.6, 0, 0.4, 1), "the right"),
        ((0, 0, 0.2, 0.2), "the upper left"),
        ((0.4, 0.4, 0.2, 0.2), "the middle"),
    ],
)
def test_where_a_region_lies_in_words(box: tuple[float, float, float, float], where: str) -> None:
    assert f"one region, {where}, was" in wording.source_found("x.jpg", None, False, 0.5, [box], 0.0, 1.0)


def test_the_kinds_of_regions_have_words() -> None:
    fields = sm.checked_comparison({"compared": {**SOUND, "altered_boxes": [[1, 1, 2, 2]]}}, b"")
    for region in fields["regions"]:
        assert isinstance(region, Region)
        assert region.kind in words.REGIONS
    assert words.DETECTORS[sm.NAME]


@pytest.mark.parametrize("references", [False, True])
def test_what_the_parent_loads(folder: Path, demo: Path, references: bool) -> None:
    """Nothing heavy without reference photos, and no OpenCV with them: only workers touch pictures."""
    given = [str(folder)] if references else []
    code = (
        "import sys\nfrom detectors.scan import Scanner, ScanOptions\nfrom detectors.inputs import find_inputs\n"
        f"with Scanner(ScanOptions(jobs=1, added=(), references={given!r})) as s:\n"
        f"    (r,) = s.scan(find_inputs([{str(demo / '11-photo-edited.jpg')!r}]))\n"
        "print(r.verdict.band, *sorted({'cv2', 'numpy'} & sys.modules.keys()))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert (out[0] == "matched_source") == references
    assert out[1:] == (["numpy"] if references else [])


def test_no_usable_photo_names_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no picture")
    sources = sm.Sources([str(tmp_path)], Limits(), 1, 1)
    with contextlib.closing(sources), pytest.raises(SetupError, match="None of the 1 files") as e:
        sources.read()
    assert e.value.code == "no_usable_references"
