"""One PDQ against a million: our column search beside faiss's binary flat index, same answers, same run.

    python tests/benchmarks/bench_search.py [--rows 1000000] [--queries 50] [--seed 1]

The rows are random bits with planted near-copies of the queries at distances 0 to 40, so that there is something to
find and something to leave out. Each time is the median over the queries, one query a call.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from detectors.fingerprints import search


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    import faiss

    rng = np.random.default_rng(args.seed)
    rows = rng.integers(0, 2**64, (args.rows, 4), dtype=np.uint64)
    queries = rng.integers(0, 2**64, (args.queries, 4), dtype=np.uint64)
    places = rng.choice(args.rows, (args.queries, 41), replace=False)
    for number, query in enumerate(queries):
        for distance in range(41):
            rows[places[number, distance]] = flipped(query, rng.choice(256, distance, replace=False))
    search.LARGE = args.rows + 1  # our own search, also above the size from which faiss stands in for it
    ours = search.Index(rows)
    flat = faiss.IndexBinaryFlat(256)
    as_bytes = rows.astype(">u8").view(np.uint8)
    flat.add(as_bytes)
    asked = queries.astype(">u8").view(np.uint8)
    threads = faiss.omp_get_max_threads()
    print(f"{args.rows:,} rows, {args.queries} queries, seed {args.seed}, faiss {faiss.__version__}")
    print(f"{'':44}{'ms, median':>12}{'ms, 90 %':>12}")
    found = timed("ours, all within 31 bits", lambda n: ours.within(queries[n : n + 1])[1], args.queries)
    for count in sorted({1, threads}):
        faiss.omp_set_num_threads(count)
        name = f"faiss, {count} thread{'s' * (count > 1)}"
        within = timed(
            f"{name}, all within 31 bits", lambda n: flat.range_search(asked[n : n + 1], 32)[2], args.queries
        )
        timed(f"{name}, nearest 32", lambda n: flat.search(asked[n : n + 1], 32)[1], args.queries)
        assert all(set(a) == set(b) for a, b in zip(found, within, strict=True)), "the answers differ"
    assert all(len(f) >= 32 for f in found), "planted copies were not found"
    start = time.perf_counter()
    ours.within(np.tile(queries, (20, 1)))
    each = (time.perf_counter() - start) * 1000 / (20 * args.queries)
    print(f"{f'ours, {20 * args.queries} queries in one call, each':44}{each:12.2f}")
    print("same answers: yes")
    return 0


def flipped(query: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """The hash with these bits, 0..255, turned over."""
    out = query.copy()
    for bit in bits:
        out[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return out


def timed(name: str, ask: Callable[[int], np.ndarray], count: int) -> list[np.ndarray]:
    """Print how long a query takes, and return the answers."""
    ask(0)
    answers, times = [], []
    for number in range(count):
        start = time.perf_counter()
        answers.append(ask(number))
        times.append((time.perf_counter() - start) * 1000)
    print(f"{name:44}{np.median(times):12.2f}{np.quantile(times, 0.9):12.2f}", flush=True)
    return answers


if __name__ == "__main__":
    raise SystemExit(main())
