"""How a large casebook behaves, and whether every flipped byte of a small one is noticed.

    python -m tests.benchmarks.bench_casebook --items 20000
    python -m tests.benchmarks.bench_casebook --flips

The first fills a casebook with items that have a real report's findings and views (of a demo picture, fast check) and
fingerprints of their own, and times what a person waits for. The second flips each byte of a closed casebook in turn,
one random bit of it, and opens it: minutes for a file of 150 KB. Prints tables.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from desktop.casebook import database, keys
from desktop.casebook.casebook import Casebook
from desktop.casebook.records import CasebookError, NewItem
from detectors.inputs import find_inputs
from detectors.report import Report, View
from detectors.scan import Scanner, ScanOptions
from tests.casebook_kill import CHEAP, numbered_report

PASSPHRASE = "four unrelated dull words"  # noqa: S105
DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo" / "03-plain-photo-portrait.jpg"
_BATCH = 500
_SINGLE = 500


@contextmanager
def timed(what: str, count: int = 0) -> Iterator[None]:
    """Print how long a block took, and how many a second where there is a count."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    print(f"{what:55} {seconds:9.3f} s" + (f"  {count / seconds:8.0f} a second" if count else ""), flush=True)


def real_report() -> tuple[Report, tuple[View, ...]]:
    """A demo picture's report and views."""
    with Scanner(ScanOptions(jobs=1)) as scanner:
        report = next(iter(scanner.scan(find_inputs([str(DEMO)]))))
        return report, scanner.fingerprint(str(DEMO)).views


def numbered(report: Report, number: int) -> Report:
    """The same report of another picture."""
    own = numbered_report(number)
    assert report.analysis is not None
    assert own.analysis is not None
    return replace(report, sha256=own.sha256, analysis=replace(report.analysis, hashes=own.analysis.hashes))


def large(items: int, folder: Path) -> None:
    """Fill a casebook and time it."""
    report, views = real_report()
    path = folder / "large.casebook"
    with timed("create (chooses what deriving the key costs)"):
        casebook, _ = Casebook.create(path, PASSPHRASE, "bench")
    print(f"{'':55} {casebook._key.cost}")
    derivings = []
    for _ in range(5):
        start = time.perf_counter()
        keys.key_from_passphrase(PASSPHRASE, casebook._key.header)
        derivings.append(time.perf_counter() - start)
    print(f"{'deriving the key, median of 5':55} {statistics.median(derivings):9.3f} s  {min(derivings):.3f} at least")
    incident = casebook.add_incident("large").id
    with timed("items one by one", _SINGLE):
        for number in range(_SINGLE):
            casebook.add_item(incident, numbered(report, number), views, label=f"picture {number}")
    with timed(f"items in batches of {_BATCH}", items - _SINGLE):
        for start in range(_SINGLE, items, _BATCH):
            numbers = range(start, min(start + _BATCH, items))
            casebook.add_items(incident, [NewItem(numbered(report, n), views, f"picture {n}") for n in numbers])
    with timed("notes, one by one", _SINGLE):
        for number in range(_SINGLE):
            casebook.add_note(incident, f"note {number}", item_id=number + 1)
    with timed("all items read", items):
        assert len(casebook.items(incident)) == items
    with timed("all items read, in brief", items):
        assert len(casebook.items(incident, brief=True)) == items
    with timed("overview"):
        casebook.overview(incident)
    with timed("timeline of an item"):
        casebook.timeline(7)
    with timed("delete an item"):
        casebook.delete_item(8)
    with timed("verify"):
        verified = casebook.verify()
    assert verified.ok, verified.problems
    print(f"{'':55} {verified.rows} log rows, {verified.checked_bytes / 1e6:.0f} MB")
    with timed("backup"):
        casebook.backup(folder / "backup")
    with timed("change the passphrase"):
        casebook.change_passphrase(PASSPHRASE)
    with timed("close"):
        casebook.close()
    print(f"{'file':55} {path.stat().st_size / 1e6:9.1f} MB {path.stat().st_size / items:10.0f} bytes an item")
    with timed("open (deriving the key included)"):
        Casebook.open(path, PASSPHRASE, "bench").close()


def flips(folder: Path, seed: int) -> None:
    """Flip a bit of every byte of a small casebook, and count what opening says."""
    rng = random.Random(seed)
    path = folder / "small.casebook"
    casebook, _ = Casebook.create(path, PASSPHRASE, "bench", _cost=CHEAP)
    with casebook:
        incident = casebook.add_incident("small").id
        for number in range(2):
            casebook.add_item(incident, numbered_report(number), label="item", image=b"x" * 5000)
        casebook.delete_item(1)
        casebook.add_note(incident, "a note")
    data = path.read_bytes()
    key = keys.key_from_passphrase(PASSPHRASE, data[:16])
    counted = Counter(outcome(path, data, position, rng.randrange(8), key) for position in range(len(data)))
    print(f"{len(data)} bytes, {len(data) // database.PAGE_BYTES} pages, seed {seed}")
    for name, count in sorted(counted.items()):
        print(f"{count:8} {name}")


def outcome(path: Path, data: bytes, position: int, bit: int, key: keys.Key) -> str:
    """What opening says of the file with this bit flipped. Beyond the header the key is not derived each time."""
    with open(path, "r+b", buffering=0) as file:
        os.pwrite(file.fileno(), bytes([data[position] ^ 1 << bit]), position)
    try:
        code = code_of(lambda: Casebook._opened(path, "bench", lambda _: key).close())
        if position < keys.HEADER_BYTES:
            code = code_of(lambda: Casebook.open(path, PASSPHRASE, "bench").close())
    finally:
        path.write_bytes(data)
    return code


def code_of(call: Callable[[], None]) -> str:
    """The code of the error that a call raises."""
    try:
        call()
    except CasebookError as e:
        return e.code
    return "NOT NOTICED"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--flips", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.flips:
            flips(Path(folder), args.seed)
        else:
            large(args.items, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
