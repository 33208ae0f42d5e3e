"""Scan: order, bounded look-ahead, pause, cancel, cache, and the faults that may cost one file and never the run."""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from detectors import scan
from detectors.cache import Cache
from detectors.errors import FileRefused, FileUnreadable, SetupError
from detectors.finding import CHECKS, Finding, Profile, State
from detectors.inputs import Input, find_inputs
from detectors.intake.limits import Limits
from detectors.report import Report
from detectors.scan import Scanner, ScanOptions
from detectors.verdict import Bands, Verdict, decide

FAULTY = [sys.executable, str(Path(__file__).resolve().parents[1] / "faulty_worker.py")]
BANDS = Bands(likely=0.9, clear=0.1, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=100, n_synthetic=100)
POINTS = {"generated": BANDS}
QUICK = Limits(seconds=15.0)
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals and /proc")


def png(shade: int, size: tuple[int, int] = (80, 60)) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize(size).point(lambda v: (v + shade) % 256).convert("RGB").save(out, "PNG")
    return out.getvalue()


def options(**changes: object) -> ScanOptions:
    return ScanOptions(**{"jobs": 2, "points": POINTS, "limits": QUICK, **changes})  # type: ignore[arg-type]


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{i:03}.png" for i in range(12)]
    for i, path in enumerate(paths):
        path.write_bytes(png(i))
    return [str(p) for p in paths]


def plant(folder: Path, name: str, fault: str, rest: bytes = b"") -> str:
    (folder / name).write_bytes(f"FAULT:{fault}\n".encode() + rest)
    return str(folder / name)


def scanned(paths: list[str], scanner: Scanner) -> list[Report]:
    return list(scanner.scan(find_inputs(paths)))


def children() -> set[int]:
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    tasks = Path("/proc/self/task")
    return {int(c) for t in tasks.iterdir() for c in (t / listing.name).read_text().split()}


def test_reports_come_in_the_order_of_the_inputs(pictures: list[str]) -> None:
    with Scanner(options()) as scanner:
        reports = scanned([*pictures, "missing.png", *pictures[:1]], scanner)
    assert [r.path for r in reports] == [*pictures, "missing.png", pictures[0]]
    assert [r.status for r in reports] == ["scanned"] * 12 + ["unreadable", "scanned"]
    for report in reports[:12]:
        assert report.analysis is not None
        assert report.verdict is not None
        assert report.analysis.hashes.sha256 == report.sha256
        assert report.analysis.findings
        assert report.ms > 0
        assert not report.cached
        assert report.thumbnail is None


def test_a_slow_first_file_does_not_hold_back_the_others_nor_the_order(tmp_path: Path, pictures: list[str]) -> None:
    slow = plant(tmp_path, "slow", "hang")
    with Scanner(options(limits=Limits(seconds=5.0)), FAULTY) as scanner:
        reports = scanned([slow, *pictures], scanner)
    assert [r.path for r in reports] == [slow, *pictures]
    assert reports[0].error is not None
    assert reports[0].error.code == "took_too_long"
    assert {r.status for r in reports[1:]} == {"scanned"}


FAULTS = [
    ("exit", "unreadable", "worker_died"),
    ("segv", "unreadable", "worker_died"),
    ("abort", "unreadable", "worker_died"),
    ("cut", "unreadable", "worker_died"),
    ("memory", "refused", "needs_too_much_memory"),
    ("reclaimed", "refused", "needs_too_much_memory"),
    ("raise", "unreadable", "analysis_failed"),
    ("recurse", "unreadable", "analysis_failed"),
    ("write", "unreadable", "analysis_failed"),
    ("garbage", "unreadable", "worker_answer_malformed"),
    ("huge", "unreadable", "worker_answer_malformed"),
    ("not_json", "unreadable", "worker_answer_malformed"),
    ("deep", "unreadable", "worker_answer_malformed"),
    ("nan", "unreadable", "worker_answer_malformed"),
    ("list", "unreadable", "worker_answer_malformed"),
    ("empty", "unreadable", "worker_answer_malformed"),
    ("bad_status", "unreadable", "worker_answer_malformed"),
]


@posix_only
def test_every_fault_costs_one_file(tmp_path: Path, pictures: list[str]) -> None:
    limits = Limits(seconds=15.0, worker_memory=3 << 30)
    paths = []
    for picture, (fault, _, _) in zip(itertools.cycle(pictures), FAULTS, strict=False):
        paths += [plant(tmp_path, fault, fault), picture]
    with Scanner(options(limits=limits), FAULTY) as scanner:
        reports = scanned(paths, scanner)
    assert [r.path for r in reports] == paths
    bad, good = reports[::2], reports[1::2]
    assert [(Path(r.path).name, r.status, r.error and r.error.code) for r in bad] == FAULTS
    assert all(r.error is not None and r.error.message and r.error.remedy and r.sha256 for r in bad)
    assert [r.status for r in good] == ["scanned"] * len(FAULTS), [r.error for r in good]


@posix_only
def test_what_a_library_prints_breaks_nothing(tmp_path: Path) -> None:
    noisy = plant(tmp_path, "noisy", "noise", png(1))
    with Scanner(options(), FAULTY) as scanner:
        assert scanned([noisy], scanner)[0].status == "scanned"


@posix_only
def test_an_answer_about_another_file_is_not_believed(tmp_path: Path) -> None:
    path = plant(tmp_path, "a", "other_file", png(1))
    with Scanner(options(), FAULTY) as scanner:
        report = scanned([path], scanner)[0]
    assert report.error is not None
    assert report.error.code == "worker_answer_malformed"


def test_a_detector_that_raises_is_a_failed_finding(pictures: list[str]) -> None:
    with Scanner(options(), [*FAULTY, "detector_raises"]) as scanner:
        report = scanned(pictures[:1], scanner)[0]
    assert report.analysis is not None
    failed = [f for f in report.analysis.findings if f.state is State.FAILED]
    assert len(failed) == 1
    assert failed[0].score is None
    assert "did not run" in failed[0].says
    assert "ZeroDivisionError" in failed[0].says
    assert len(report.analysis.findings) > 1


def test_a_failed_finding_is_not_kept_in_the_cache(pictures: list[str], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    for _ in range(2):
        with Scanner(options(cache=cache), [*FAULTY, "detector_raises"]) as scanner:
            assert not scanned(pictures[:1], scanner)[0].cached
    cache.close()


@pytest.mark.parametrize("command", [[*FAULTY, "dies_at_start"], ["/no/such/program"]])
def test_workers_that_do_not_start_end_the_run_once(command: list[str], pictures: list[str]) -> None:
    with Scanner(options(), command) as scanner, pytest.raises(SetupError) as e:
        scanned(pictures, scanner)
    assert e.value.code == "worker_does_not_start"
    assert "the reason for it" in e.value.message or "No such file" in e.value.message


@posix_only
def test_a_worker_that_dies_between_files_costs_none(pictures: list[str]) -> None:
    with Scanner(options(jobs=1)) as scanner:
        first = children()
        scanned(pictures[:1], scanner)
        (worker,) = children() - first
        os.kill(worker, signal.SIGKILL)
        time.sleep(0.3)
        assert scanned(pictures[1:2], scanner)[0].status == "scanned"


@posix_only
def test_ctrl_c_in_the_terminal_does_not_reach_workers(pictures: list[str]) -> None:
    before = children()
    with Scanner(options(jobs=1)) as scanner:
        scanned(pictures[:1], scanner)
        (worker,) = children() - before
        assert os.getpgid(worker) != os.getpgid(0)


@posix_only
def test_workers_are_recycled(pictures: list[str]) -> None:
    seen = set()
    with Scanner(options(jobs=1, limits=Limits(recycle_after=4))) as scanner:
        before = children()
        for report in scanner.scan(find_inputs(pictures)):
            assert report.status == "scanned"
            seen |= children() - before
    assert len(seen) >= 3


def test_look_ahead_is_bounded(pictures: list[str]) -> None:
    drawn = 0

    def endless() -> Iterator[Input]:
        nonlocal drawn
        while True:
            drawn += 1
            yield Input(pictures[0])

    with Scanner(options(jobs=1)) as scanner:
        reports = scanner.scan(endless())
        for _ in range(3):
            next(reports)
        time.sleep(0.5)
        assert drawn <= 40
        reports.close()  # type: ignore[attr-defined]


def test_cancel_yields_what_is_done_and_ends(pictures: list[str]) -> None:
    cancel = threading.Event()
    endless = (Input(pictures[i % 12]) for i in itertools.count())
    with Scanner(options()) as scanner:
        got = []
        for report in scanner.scan(endless, cancel):
            got.append(report)
            if len(got) == 20:
                cancel.set()
    assert 20 <= len(got) <= 20 + 64 + 2
    assert [r.path for r in got] == [pictures[i % 12] for i in range(len(got))]
    assert {r.status for r in got} == {"scanned"}


@posix_only
def test_cancel_does_not_wait_for_a_file_that_hangs(tmp_path: Path, pictures: list[str]) -> None:
    cancel = threading.Event()
    hangs = plant(tmp_path, "hangs", "hang")
    with Scanner(options(limits=Limits(seconds=60.0)), FAULTY) as scanner:
        got = []
        started = 0.0
        for report in scanner.scan(find_inputs([pictures[0], hangs, *pictures[1:]]), cancel):
            got.append(report)
            time.sleep(2)  # the other worker gets past the file that hangs
            started = time.monotonic()
            cancel.set()
        assert time.monotonic() - started < 10
    assert [r.path for r in got] == [pictures[0]], "a gap would keep the run from being resumed"


def test_pause_begins_no_new_file(pictures: list[str]) -> None:
    pause, cancel = threading.Event(), threading.Event()
    with Scanner(options(jobs=1)) as scanner:
        reports = scanner.scan(find_inputs(pictures), cancel, pause)
        next(reports)
        pause.set()
        time.sleep(0.5)
        rest: list[Report] = []
        reader = threading.Thread(target=lambda: rest.extend(reports))
        reader.start()
        time.sleep(0.5)
        held = len(rest)
        time.sleep(0.7)
        assert len(rest) == held
        pause.clear()
        reader.join(30)
        assert [r.path for r in rest] == pictures[1:]


def test_cancel_while_paused_ends(pictures: list[str]) -> None:
    pause, cancel = threading.Event(), threading.Event()
    pause.set()
    with Scanner(options()) as scanner:
        threading.Timer(0.3, cancel.set).start()
        assert list(scanner.scan(find_inputs(pictures), cancel, pause)) == []


@posix_only
def test_close_from_another_thread_ends_a_scan(tmp_path: Path, pictures: list[str]) -> None:
    hangs = plant(tmp_path, "hangs", "hang")
    scanner = Scanner(options(limits=Limits(seconds=60.0)), FAULTY)
    threading.Timer(1.5, scanner.close).start()
    started = time.monotonic()
    reports = list(scanner.scan(find_inputs([pictures[0], hangs, hangs, *pictures])))
    assert time.monotonic() - started < 10
    assert [r.path for r in reports][:1] == pictures[:1]
    assert {r.status for r in reports} == {"scanned"}
    scanner.close()


@posix_only
def test_nothing_is_left_behind(tmp_path: Path, pictures: list[str]) -> None:
    def held() -> set[object]:
        gc.collect()  # or what earlier tests left to the collector would still be open
        files = {}
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the listing's own
                files[number] = os.readlink(f"/proc/self/fd/{number}")
        return {*files.items(), *threading.enumerate(), *children()}

    faults = [plant(tmp_path, f, f) for f in ("exit", "garbage", "hang", "cut")]
    before = held()  # earlier tests' workers may still let go of theirs
    for abandon in (False, True):
        with Scanner(options(limits=Limits(seconds=2.0)), FAULTY) as scanner:
            reports = scanner.scan(find_inputs([pictures[0], *faults, *pictures]))
            scanner.preview(pictures[0], 50, True)
            if abandon:
                next(reports)
                reports.close()  # type: ignore[attr-defined]
            else:
                list(reports)
        assert held() - before == set()


@posix_only
def test_workers_end_when_the_parent_is_killed(tmp_path: Path, pictures: list[str]) -> None:
    script = (
        "import sys; from detectors.scan import *; from detectors.inputs import Input\n"
        "s = Scanner(ScanOptions(jobs=1)); s.protections(); print('up', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    tasks = Path(f"/proc/{parent.pid}/task")
    workers = [int(c) for t in tasks.iterdir() for c in (t / "children").read_text().split()]
    assert len(workers) == 1
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while _runs(workers[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(workers[0])


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_second_run_is_cached_and_the_same(pictures: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(png(3)[:300])
    cache = Cache(tmp_path / "c.sqlite")
    with Scanner(options(cache=cache)) as scanner:
        first = scanned([*pictures, str(broken)], scanner)
    with Scanner(options(cache=cache), ["/no/such/program"]) as scanner:
        second = scanned([*pictures, str(broken)], scanner)
    cache.close()
    assert not any(r.cached for r in first)
    assert all(r.cached for r in second[:-1])
    assert [r.status for r in second] == ["scanned"] * 12 + ["unreadable"]
    for a, b in zip(first, second, strict=True):
        assert {**a.to_json(), "ms": 0} == {**b.to_json(), "ms": 0}
        assert a.analysis == b.analysis


@posix_only
def test_a_passing_failure_is_tried_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    path = plant(tmp_path, "exit", "exit", png(1))
    for _ in range(2):
        with Scanner(options(cache=cache), FAULTY) as scanner:
            assert scanned([path], scanner)[0].error.code == "worker_died"  # type: ignore[union-attr]
    with Scanner(options(cache=cache)) as scanner:  # the real worker: not a picture
        assert scanned([path], scanner)[0].error.code == "not_a_picture"  # type: ignore[union-attr]
    with Scanner(options(cache=cache), ["/no/such/program"]) as scanner:
        assert scanned([path], scanner)[0].error.code == "not_a_picture"  # type: ignore[union-attr]
    cache.close()


def test_other_limits_miss_the_cache(pictures: list[str], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    with Scanner(options(cache=cache)) as scanner:
        assert scanned(pictures[:1], scanner)[0].status == "scanned"
    with Scanner(options(cache=cache, limits=Limits(max_pixels=100))) as scanner:
        assert scanned(pictures[:1], scanner)[0].status == "refused"
    cache.close()


def test_a_damaged_entry_is_worked_out_again(pictures: list[str], tmp_path: Path) -> None:
    class Lying(Cache):
        def get(self, content: bytes, context: bytes) -> bytes | None:
            return b"\0\0\0\1\0\0\0\0["

    cache = Lying(tmp_path / "c.sqlite")
    with Scanner(options(cache=cache)) as scanner:
        report = scanned(pictures[:1], scanner)[0]
    assert report.status == "scanned"
    assert not report.cached
    cache.close()


def test_the_same_bytes_twice_are_worked_out_once(pictures: list[str], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    with Scanner(options(cache=cache)) as scanner:
        reports = scanned(pictures[:1] * 10, scanner)
    cache.close()
    assert [r.cached for r in reports].count(False) == 1


def test_thumbnails_are_small_grey_and_kept(pictures: list[str], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    with Scanner(options(cache=cache)) as scanner:
        assert scanned(pictures[:1], scanner)[0].thumbnail is None
    for expected in (False, True):  # a result without one does not serve where one is wanted
        with Scanner(options(cache=cache, thumbnails=True)) as scanner:
            report = scanned(pictures[:1], scanner)[0]
        assert report.cached is expected
        assert report.thumbnail is not None
        image = Image.open(io.BytesIO(report.thumbnail))
        assert (image.format, image.mode) == ("JPEG", "L")
        assert max(image.size) <= 96
    cache.close()


def test_preview(tmp_path: Path) -> None:
    noise = Image.effect_noise((640, 480), 100).convert("RGB")
    noise.save(tmp_path / "n.png")
    with Scanner(options()) as scanner:
        clear = scanner.preview(str(tmp_path / "n.png"), 320, False)
        veiled = scanner.preview(str(tmp_path / "n.png"), 320, True)
    for preview in (clear, veiled):
        assert (preview.width, preview.height) == (320, 240)
        assert len(preview.rgb) == 320 * 240 * 3
    assert _detail(clear.rgb) > 20 * _detail(veiled.rgb)
    assert all(veiled.rgb[i] == veiled.rgb[i + 1] == veiled.rgb[i + 2] for i in range(0, len(veiled.rgb), 3))


def _detail(rgb: bytes) -> float:
    """Mean difference between neighbours in a row."""
    row = rgb[:960:3]
    return sum(abs(a - b) for a, b in itertools.pairwise(row)) / len(row)


def test_preview_for_a_vast_screen_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4200, 4200), "green").save(path, compress_level=1)
    with Scanner(ScanOptions(jobs=1)) as scanner:
        shown = scanner.preview(str(path), 8000, blurred=False)
    assert (shown.width, shown.height) == (4096, 4096)


def test_preview_of_a_small_picture_is_not_enlarged(pictures: list[str]) -> None:
    with Scanner(options()) as scanner:
        for blurred in (True, False):
            assert scanner.preview(pictures[0], 1000, blurred).width == 80


def test_preview_errors(tmp_path: Path, pictures: list[str]) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with Scanner(options(limits=Limits(seconds=5)), FAULTY) as scanner:
        with pytest.raises(FileUnreadable, match="no_such_file"):
            scanner.preview("missing.jpg", 100, True)
        with pytest.raises(FileRefused, match="not_a_picture"):
            scanner.preview(str(tmp_path / "text.jpg"), 100, True)
        for fault, code in (("exit", "worker_died"), ("empty", "malformed"), ("hang", "took_too_long")):
            with pytest.raises((FileRefused, FileUnreadable), match=code):
                scanner.preview(plant(tmp_path, fault, fault), 100, True)
        assert scanner.preview(pictures[0], 50, True).width == 50


def test_protections_are_told_and_hold(tmp_path: Path) -> None:
    with Scanner(options()) as scanner:
        told = {p.name: p for p in scanner.protections()}
    assert told["separate_process"].holds
    assert all(p.says for p in told.values())
    if sys.platform == "linux":
        assert {n for n, p in told.items() if p.holds} >= {
            "memory_limit",
            "no_writing",
            "open_file_limit",
            "no_core_dump",
        }


def test_each_profile_has_results_of_its_own_and_each_check_its_operating_points(
    tmp_path: Path, pictures: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[object] = []

    def noting(findings: Sequence[Finding], points: Mapping[str, Bands]) -> Verdict:
        used.append(points["generated"])
        return decide(findings, points)

    monkeypatch.setattr(scan, "decide", noting)
    points = {check: {"generated": replace(BANDS)} for check in CHECKS}
    with Scanner(ScanOptions(jobs=1, limits=QUICK, cache=Cache(tmp_path / "c.sqlite"))) as scanner:
        monkeypatch.setattr(scanner, "_points", lambda: points)
        for profile, cached in [*((p, False) for p in Profile), *((p, True) for p in Profile)]:
            (report,) = scanner.scan(find_inputs(pictures[:1]), profile=profile)
            assert report.cached is cached
            assert report.analysis is not None
            assert report.analysis.profile is profile or profile is Profile.CASCADE
            assert used.pop() is points[report.analysis.profile]["generated"]


@posix_only
def test_the_parent_loads_nothing_that_reads_pictures(pictures: list[str], tmp_path: Path) -> None:
    script = (
        "import sys; from detectors.scan import *; from detectors.inputs import find_inputs; from pathlib import Path\n"
        f"points = {{'generated': Bands(*{[0.9, 0.1, 0, 0, 0, 1, 1]})}}\n"
        "o = ScanOptions(jobs=2, cache=Cache(Path(sys.argv[1])), points=points)\n"
        "with Scanner(o) as s: print([r.status + str(r.cached) for r in s.scan(find_inputs(sys.argv[2:]))])\n"
        "print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, str(tmp_path / "c.sqlite"), *pictures]
    for word in ("False", "True"):
        told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        assert told.count("scanned" + word) == 12
        loaded = told.splitlines()[1]
        assert "'cryptography'" in loaded
        for heavy in ("numpy", "PIL", "onnxruntime", "pillow_heif", "c2pa", "PySide6"):
            assert f"'{heavy}'" not in loaded
