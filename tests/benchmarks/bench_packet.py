"""How long a packet takes to build, how large it is, and what notices a changed byte.

    python -m tests.benchmarks.bench_packet             build: 1, 40, 250 and 2,500 places on one host, and 20,000
    python -m tests.benchmarks.bench_packet --flips     flip a bit of every byte of a packet

The whole process is `counterproof packet build`, from start to exit; in the process, the second build of the same kind
is timed, with fonts and facts read already.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

from desktop.packets import bag, complete, facts, letters, verify
from desktop.packets.request import Request, to_json
from tests.benchmarks import measure
from tests.packet_texts import files_of
from tests.unit.packet_bags import AT, KEY, packed
from tests.unit.packet_requests import full_request

_RUNS = 5


def request_for(places: int, law: str = "eu_dsa_16", platform: str = "cloudflare") -> Request:
    """A complete request about so many places on one host, with one picture each."""
    request = full_request(facts.load(), law, platform)
    item, seen = request.items[0], request.sightings[0]
    items = [replace(item, id=n, sha256=f"{n:064x}") for n in range(1, places + 1)]
    urls = [
        f"https://pictures.example/albums/2026/11/28/an-address-of-usual-length-{n}.html?view=full"
        for n in range(places)
    ]
    seen_at = [replace(seen, item=n, url=url) for n, url in enumerate(urls, 1)]
    return replace(request, items=tuple(items), sightings=tuple(seen_at))


def build(request: Request) -> bag.Packet:
    """The packet of a request, and its sheet, as the command makes them."""
    known = facts.load()
    assessment = complete.assess(request, known)
    letters.sheet(assessment, known)
    return bag.build(assessment, known, key=KEY)


def speed(counts: list[int]) -> None:
    """Time the whole process and the building in it."""
    print(
        f"{'places':>7} {'whole process':>14} {'processor':>10} {'peak memory':>12} {'in process':>11} {'zip':>9} "
        f"{'deflated':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            request = request_for(count)
            path = Path(folder) / f"{count}.json"
            path.write_text(to_json(request))
            whole, cpu, peak = [], [], 0.0
            for run in range(_RUNS):
                out = str(Path(folder) / f"out-{count}-{run}")
                command = [sys.executable, "-m", "desktop", "packet", "build", str(path), "-o", out, "--unsigned"]
                measured = measure.run(command, memory=run == 0)
                assert measured.status == 0, measured.output
                whole.append(measured.seconds)
                cpu.append(measured.cpu)
                peak = max(peak, measured.peak_rss)
            build(replace(request, created_at=request.created_at and request.created_at.replace(year=2027)))
            started = time.perf_counter()
            packet = build(request)
            inside = time.perf_counter() - started
            deflated = len(zlib.compress(packet.zip, 6))
            print(
                f"{count:>7,} {min(whole):>6.2f}–{max(whole):.2f} s {min(cpu):>8.2f} s {peak:>8.0f} MiB "
                f"{inside:>9.2f} s {len(packet.zip) / 1000:>6.0f} KB {deflated / 1000:>6.0f} KB"
            )


def flips(seed: int) -> None:
    """Flip a bit of every byte, and count who notices: our check, and the public tools on what unzips."""
    rng = random.Random(seed)
    for name, packet in (
        ("stand-in files", packed()),
        ("a real packet", build(full_request(facts.load(), "us_tida", "x"))),
    ):
        counted: Counter[str] = Counter()
        data = bytearray(packet.zip)
        for at in range(len(data)):
            flip = 1 << rng.randrange(8)
            data[at] ^= flip
            counted["noticed" if not verify.verify(bytes(data)).ok else "NOT NOTICED"] += 1
            data[at] ^= flip
        print(f"counterproof packet verify, {name}: {len(data):,} bytes, seed {seed}: {dict(counted)}")
    _public(packed(), rng)


def _public(packet: bag.Packet, rng: random.Random) -> None:
    """The route of HOW_TO_VERIFY.txt: unzip, the two lists, the signature with openssl and with minisign."""
    if missing := [t for t in ("unzip", "sha256sum", "openssl", "minisign") if shutil.which(t) is None]:
        print(f"public tools: not run, {', '.join(missing)} missing")
        return
    payload = sum(len(content) for content in files_of(packet.zip).values())
    counted: Counter[str] = Counter()
    for at in range(len(packet.zip)):
        data = bytearray(packet.zip)
        data[at] ^= 1 << rng.randrange(8)
        counted[_noticed_by(bytes(data), packet)] += 1
    print(f"public tools: {len(packet.zip):,} bytes, of which {payload:,} are the files': {dict(counted)}")


def _noticed_by(data: bytes, packet: bag.Packet) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "p.zip").write_bytes(data)
        # unzip says 1 for a warning and goes on.
        if _status("unzip -qq -o p.zip </dev/null", folder) > 1:
            return "unzip"
        inside = Path(folder) / packet.name
        if not inside.is_dir():
            return "no folder of that name"
        for command in bag.how_to_verify(packet.signer, AT).splitlines():
            tool = command.strip().removeprefix("$ ")
            if tool.startswith(("sha256sum -c man", "openssl pkeyutl", "minisign")) and _status(tool, str(inside)):
                return tool.split()[0]
        there = {str(p.relative_to(inside)): p.read_bytes() for p in inside.rglob("*") if p.is_file()}
        same = there == files_of(packet.zip)
        return "only the fingerprint of the zip file" + ("" if same else ", though a file differs")


def _status(command: str, folder: str) -> int:
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True).returncode


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", action="store_true")
    parser.add_argument("--places", type=int, nargs="+", default=[1, 40, 250, 2_500, 20_000])
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.flips:
        flips(args.seed)
    else:
        speed(args.places)
    return 0


if __name__ == "__main__":
    sys.exit(main())
