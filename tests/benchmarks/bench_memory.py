"""Memory over 20,000 small, distinct files: flat after the first thousand.

    python tests/benchmarks/bench_memory.py [--files 20000] [--jobs 2]

Writes PNGs of random tiles to a temporary folder, checks them with the real command, and samples the memory of
all its processes. Linux only, for /proc.
"""

from __future__ import annotations

import argparse
import random
import statistics
import struct
import sys
import tempfile
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.bench_peer import scan_command
from tests.benchmarks.measure import Sample, run

# What may come on top between the first thousand and the end, in MiB: allocators settle, files do not add up.
ALLOWED_GROWTH = 32.0


def main() -> int:
    """Print the memory over time; 1 when it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--side", type=int, default=128, help="px; detectors leave out pictures below 96")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "in")
        make_files(folder, wanted.files, wanted.side)
        env = {"XDG_CACHE_HOME": temporary, "HOME": temporary}
        measured = run(scan_command(folder, wanted.jobs), env)
    growth = growth_after(measured.samples, 1000 / wanted.files)
    rate = wanted.files / measured.seconds
    print(f"{wanted.files} files in {measured.seconds:.0f} s ({rate:.0f}/s), peak PSS {measured.peak_pss:.0f} MiB")
    for sample in measured.samples[:: max(1, len(measured.samples) // 20)]:
        print(f"  {sample.seconds:7.1f} s  PSS {sample.pss:6.0f} MiB  RSS sum {sample.rss:6.0f} MiB")
    print(f"growth of PSS from the first thousand files to the last: {growth:+.1f} MiB (allowed: {ALLOWED_GROWTH:.0f})")
    return 0 if growth <= ALLOWED_GROWTH else 1


def growth_after(samples: tuple[Sample, ...], share: float) -> float:
    """MiB from the median of the stretch after `share` of the time to the median of as long a stretch at the end."""
    end = samples[-1].seconds
    stretch = max(end * share, end * 0.05)
    early = [s.pss for s in samples if end * share <= s.seconds <= end * share + stretch]
    late = [s.pss for s in samples if s.seconds >= end - stretch]
    return statistics.median(late) - statistics.median(early)


def make_files(folder: Path, count: int, side: int) -> None:
    """`count` PNGs of `side` px with different pixels, written without any imaging library. Seeded."""
    folder.mkdir(parents=True)
    rng = random.Random(20_000)
    for i in range(count):
        if i % 1000 == 0:
            (folder / f"{i // 1000:03}").mkdir()
        tile = rng.randbytes(3 * 8)
        row = b"\0" + tile * (side // 8)
        body = zlib.compress(row * side, 1)
        (folder / f"{i // 1000:03}" / f"{i:06}.png").write_bytes(_png(side, body))


def _png(side: int, body: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


if __name__ == "__main__":
    sys.exit(main())
