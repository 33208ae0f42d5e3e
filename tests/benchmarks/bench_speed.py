"""What one picture costs: 1200 x 1200 JPEGs through the whole scan with all signals, beside the peer, turn by turn.

    python tests/benchmarks/bench_speed.py [FOLDER] [--pictures 24] [--peer-python PATH --peer-script PATH]

Makes its pictures from those in FOLDER (the demo's by default): squares from different places, enlarged, with a little
grain, so that no two are alike and decoding costs what it does with photographs. Both profiles run over the same
files, whole processes with the cache off; `per picture` leaves out what a run over one picture for each job costs, in
which every worker starts as well: that is paid once, in a folder of any size. Model time is what is spent inside ONNX
Runtime, in all workers; the rest of their time and of the parent is overhead. Run it on an otherwise idle
machine; processor time bears a busy one better. Linux only, for /proc.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from detectors.finding import Profile
from detectors.inference.manifest import manifest
from detectors.inputs import find_inputs
from detectors.scan import Scanner, ScanOptions
from tests.benchmarks.bench_peer import scan_command
from tests.benchmarks.measure import ROOT, Measured, run

SIDE = 1200
GOAL_MS = {Profile.FAST: 70.0, Profile.THOROUGH: 900.0}
GOAL_WEIGHTS_MB, GOAL_MEMORY_MB = 120.0, 900.0
SEED = 1200


@dataclass(frozen=True)
class Row:
    """One tool on the pictures: medians of its runs. Times in ms a picture, memory in MB over all its processes."""

    name: str
    wall: float
    cpu: float
    whole: float
    memory: float
    rss: float


def main() -> int:
    """Print the table; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "resources/demo")
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--peer-script", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    wanted = parser.parse_args()
    if wanted.pictures <= wanted.jobs:
        parser.error("more pictures than jobs are needed")
    with tempfile.TemporaryDirectory() as temporary:
        many, few = Path(temporary, "many"), Path(temporary, "few")
        make_pictures(wanted.folder, many, wanted.pictures)
        make_pictures(wanted.folder, few, wanted.jobs)
        commands = {
            profile.value: [scan_command(f, wanted.jobs, "--no-cache", "--profile", profile.value) for f in (many, few)]
            for profile in GOAL_MS
        }
        if wanted.peer_python and wanted.peer_script:
            peer = [str(wanted.peer_python.absolute()), str(wanted.peer_script.absolute())]
            commands["peer"] = [[*peer, str(f)] for f in (many, few)]
        rows = measure(commands, wanted.pictures, wanted.jobs, wanted.runs)
        met = table(rows, wanted.pictures, wanted.jobs)
        for profile in GOAL_MS:
            print(shares(many, profile, wanted.jobs))
    weights = sum(e.bytes for e in manifest().values()) / 1e6
    print(f"weights together {weights:.1f} MB (goal: {GOAL_WEIGHTS_MB:.0f})")
    return 0 if met and weights <= GOAL_WEIGHTS_MB else 1


def make_pictures(source: Path, target: Path, count: int) -> None:
    """`count` JPEGs of SIDE px, quality 90. Seeded. Raises SystemExit when the source holds no picture."""
    found = []
    for path in sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")):
        try:
            with Image.open(path) as image:
                found.append(image.convert("RGB"))
        except (UnidentifiedImageError, OSError):  # the demo holds a damaged one on purpose
            continue
    if not found:
        raise SystemExit(f"no pictures in {source}")
    target.mkdir()
    for k in range(count):
        rng = np.random.default_rng((SEED, k))
        image = found[k % len(found)]
        side = round(min(image.size) * rng.uniform(0.75, 1.0))
        left, top = (int(rng.integers(length - side + 1)) for length in image.size)
        square = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
        grain = np.asarray(square) + rng.normal(0, 2.5, (SIDE, SIDE, 1))
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(target / f"{k:04}.jpg", quality=90)


def measure(commands: dict[str, list[list[str]]], count: int, few: int, runs: int) -> list[Row]:
    """Turn by turn, so that a change in the machine's load meets all. Each command over `count` pictures and `few`."""
    seen: dict[str, list[tuple[Measured, Measured]]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, (large, small) in commands.items():
            seen[name].append((run(large), run(small)))
    rows = []
    for name, pairs in seen.items():
        wall = statistics.median((m.seconds - o.seconds) / (count - few) for m, o in pairs)
        cpu = statistics.median((m.cpu - o.cpu) / (count - few) for m, o in pairs)
        whole = statistics.median(m.seconds / count for m, _ in pairs)
        memory, rss = (max(getattr(m, k) for m, _ in pairs) * 1.048576 for k in ("peak_pss", "peak_rss"))
        rows.append(Row(name, wall * 1000, cpu * 1000, whole * 1000, memory, rss))
    return rows


def table(rows: list[Row], count: int, jobs: int) -> bool:
    """Prints the measured rows and the ratios to the peer; whether the goals are met."""
    print(f"{count} JPEGs of {SIDE} x {SIDE}, {jobs} jobs; ms a picture, memory in MB (PSS; sum of RSS in brackets)")
    heads = f"{'':10} {'per picture':>12} {'processor':>10} {'with start':>11} {'memory':>16}"
    print(f"{heads}   peer : this (wall, processor)")
    peer = next((r for r in rows if r.name == "peer"), None)
    met = True
    for r in rows:
        ratio = "" if peer is None or r is peer else f"{peer.wall / r.wall:.2f}, {peer.cpu / r.cpu:.2f}"
        print(f"{r.name:10} {r.wall:12.1f} {r.cpu:10.1f} {r.whole:11.1f} {r.memory:8.0f} ({r.rss:5.0f})   {ratio}")
        if r is not peer:
            met &= r.wall <= GOAL_MS[Profile(r.name)] and r.memory <= GOAL_MEMORY_MB
    goals = ", ".join(f"{profile.value} {goal:.0f} ms" for profile, goal in GOAL_MS.items())
    print(f"goals: {goals}, {GOAL_MEMORY_MB:.0f} MB: {'met' if met else 'missed'}")
    return met


def shares(folder: Path, profile: Profile, jobs: int) -> str:
    """Where a profile's time goes, detector by detector, in ms a picture of one worker."""
    spent: dict[str, float] = {}
    session_ms = worker_ms = 0.0
    count = 0
    with Scanner(ScanOptions(profile=profile, jobs=jobs)) as scanner:
        inputs = list(find_inputs([str(folder)]))
        list(scanner.scan(inputs))  # sessions are loaded here
        started = time.perf_counter()
        for report in scanner.scan(inputs):
            if report.analysis is None:
                raise SystemExit(f"{report.path} was not scanned")
            count += 1
            session_ms += report.analysis.model_ms
            worker_ms += report.analysis.ms
            for f in report.analysis.findings:
                spent[f.detector] = spent.get(f.detector, 0.0) + f.ms
        whole_ms = (time.perf_counter() - started) * 1000 * jobs
    longest = sorted(spent.items(), key=lambda kv: -kv[1])
    parts = ", ".join(f"{name} {ms / count:.1f}" for name, ms in longest if ms / count >= 0.1)
    return (
        f"{profile.value}: in ONNX Runtime {session_ms / count:.1f} ms, in workers {worker_ms / count:.1f}, "
        f"{jobs} jobs x wall {whole_ms / count:.1f}: overhead over models {whole_ms / session_ms - 1:.0%}\n  {parts}"
    )


if __name__ == "__main__":
    sys.exit(main())
