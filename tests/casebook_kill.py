"""Kill -9 a process that works on a casebook, at random moments, and check each time that nothing acknowledged is lost.

A child imports items with pictures, writes notes, saves forms, records packets, changes the passphrase, makes backups
and deletes items, in random order, and prints a line after each call has returned. The parent kills it after a random
wait, opens the casebook with the passphrase that was acknowledged or the one that was being set, and compares.

    python -m tests.casebook_kill --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from desktop.casebook.casebook import Casebook
from desktop.casebook.keys import Cost
from desktop.casebook.records import CasebookError
from detectors.report import Hashes, Report
from tests.unit.sample_reports import report

ROOT = Path(__file__).resolve().parents[1]
# As cheap as the format allows: what is tested here is not the passphrase.
CHEAP = Cost(10, 1)
# How often each is done: the longer one takes, the more kills meet it, so that these come out nearer to even.
OPERATIONS = {"import": 8, "note": 8, "passphrase": 1, "backup": 1, "delete": 6, "form": 8, "packet": 4}
_IMAGE_BYTES = 200_000


def numbered_report(number: int, thumbnail: bytes | None = None) -> Report:
    """A report with fingerprints of its own."""
    digest = hashlib.sha256(f"picture {number}".encode()).hexdigest()
    made = report(thumbnail=thumbnail)
    assert made.analysis is not None
    hashes = Hashes(digest, digest[:32], hashlib.sha256(digest.encode()).hexdigest(), 90, digest[:16])
    return replace(made, sha256=digest, analysis=replace(made.analysis, hashes=hashes))


def image_of(number: int) -> bytes:
    """The bytes of a picture, as far as a casebook can tell."""
    return random.Random(number).randbytes(_IMAGE_BYTES)


def form_of(number: int) -> str:
    """The form of a request, as far as a casebook can tell."""
    return json.dumps({"schema": "counterproof.request/1", "texts": {"reason": f"form {number}"}})


def say(*words: object) -> None:
    """One line to the parent, in one write: it is there whole or not at all."""
    os.write(1, (json.dumps(words) + "\n").encode())


def work(path: Path, passphrase: str, seed: int) -> None:
    """Change the casebook until killed; `begin` before a call, `done` once it has returned."""
    rng = random.Random(seed)
    casebook = Casebook.open(path, passphrase, "child")
    items = [item.id for item in casebook.items()]
    forms = [form.request_id for form in casebook.packet_forms()]
    say("ready")
    for step in range(10_000):
        operation = rng.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
        number = seed * 10_000 + step
        if operation == "import":
            say("begin", operation, number)
            item = casebook.add_item(1, numbered_report(number), label=f"item {number}", image=image_of(number))
            items.append(item.id)
            say("done", operation, item.id, number)
        elif operation == "note":
            say("begin", operation, number)
            note = casebook.add_note(1, f"note {number}")
            say("done", operation, note.id, number)
        elif operation == "passphrase":
            new = f"passphrase {number}"
            say("begin", operation, new)
            casebook.change_passphrase(new, _cost=CHEAP)
            say("done", operation, new)
        elif operation == "backup":
            to = path.with_name(f"backup-{number}.casebook")
            say("begin", operation, to.name)
            casebook.backup(to)
            say("done", operation, to.name)
        elif operation == "form":
            say("begin", operation, number)
            if len(forms) < 3:
                request_id = casebook.new_packet(1, form_of(number)).id
                forms.append(request_id)
            else:
                request_id = casebook.save_packet_form(rng.choice(forms), form_of(number)).request_id
            say("done", operation, request_id, number)
        elif operation == "packet":
            if forms:
                say("begin", operation, number)
                packet = casebook.packet_built(rng.choice(forms), f"request-{number}", "ab" * 32)
                say("done", operation, packet.id, number)
        elif len(items) > 2:
            gone = items.pop(rng.randrange(len(items)))
            say("begin", operation, gone)
            casebook.delete_item(gone)
            say("done", operation, gone)


@dataclass
class Expected:
    """What has been acknowledged: live items, notes, forms and packets by id with their number, deleted items, the
    passphrase."""

    passphrase: str
    items: dict[int, int] = field(default_factory=dict)
    notes: dict[int, int] = field(default_factory=dict)
    forms: dict[int, int] = field(default_factory=dict)
    packets: dict[int, int] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    backups: list[tuple[str, str]] = field(default_factory=list)


def follow(expected: Expected, lines: list[list[str | int]]) -> list[str | int] | None:
    """Take in a child's lines; the call that was under way when it died, or None."""
    under_way = None
    for line in lines:
        if line[0] == "begin":
            under_way = line[1:]
        elif line[0] == "done":
            under_way = None
            operation, what = str(line[1]), line[2]
            if operation == "import":
                expected.items[int(what)] = int(line[3])
            elif operation == "note":
                expected.notes[int(what)] = int(line[3])
            elif operation in ("form", "packet"):
                (expected.forms if operation == "form" else expected.packets)[int(what)] = int(line[3])
            elif operation == "passphrase":
                expected.passphrase = str(what)
            elif operation == "backup":
                expected.backups.append((str(what), expected.passphrase))
            elif operation == "delete":
                del expected.items[int(what)]
                expected.deleted.add(int(what))
    return under_way


def check(path: Path, expected: Expected, under_way: list[str | int] | None) -> str:
    """Open the casebook after a kill and compare; what is wrong, or nothing."""
    try:
        casebook = Casebook.open(path, expected.passphrase, "parent")
    except CasebookError as e:
        if e.code != "wrong_passphrase" or not under_way or under_way[0] != "passphrase":
            return str(e)
        expected.passphrase = str(under_way[1])
        casebook = Casebook.open(path, expected.passphrase, "parent")
    with casebook:
        if casebook.notices:
            return f"noticed: {casebook.notices}"
        verified = casebook.verify()
        if not verified.ok:
            return f"does not verify: {verified.problems}"
        items = {item.id: item for item in casebook.items()}
        if under_way and under_way[0] == "delete" and int(under_way[1]) not in items:
            expected.items.pop(int(under_way[1]), None)
        for item_id, number in expected.items.items():
            if item_id not in items or items[item_id].hashes != numbered_report(number).analysis.hashes:  # type: ignore[union-attr]
                return f"item {item_id} is missing or altered"
            if casebook.image(item_id) != image_of(number):
                return f"the picture of item {item_id} is altered"
        if expected.deleted & items.keys():
            return "a deleted item is back"
        extra = [i for i in items.values() if i.id not in expected.items]
        if extra and (len(extra) > 1 or not under_way or extra[0].label != f"item {under_way[1]}"):
            return f"items from nowhere: {extra}"
        expected.items.update({i.id: int(i.label.split()[1]) for i in extra})
        notes = {note.id: note.text for note in casebook.notes()}
        if missing := [n for n, number in expected.notes.items() if notes.get(n) != f"note {number}"]:
            return f"notes {missing} are missing"
        expected.notes.update({n: int(text.split()[1]) for n, text in notes.items()})
        found = {form.request_id: form.form for form in casebook.packet_forms()}
        unsure = int(under_way[1]) if under_way and under_way[0] == "form" else None
        for request_id, number in expected.forms.items():
            if found.get(request_id) not in {form_of(number), form_of(unsure or number)}:
                return f"the form of request {request_id} is missing or older"
        expected.forms = {n: int(json.loads(text)["texts"]["reason"].split()[1]) for n, text in found.items()}
        packets = {packet.id: packet.name for packet in casebook.packets()}
        if lost := [n for n, number in expected.packets.items() if packets.get(n) != f"request-{number}"]:
            return f"packets {lost} are missing"
        expected.packets = {n: int(name.split("-")[1]) for n, name in packets.items()}
    for name, passphrase in expected.backups:
        with Casebook.open(path.with_name(name), passphrase, "parent") as backup:
            if backup.notices or not backup.verify().ok:
                return f"the backup {name} does not verify"
        path.with_name(name).unlink()
    expected.backups.clear()
    for unfinished in path.parent.glob("backup-*"):
        unfinished.unlink()
    if left := [p.name for p in path.parent.iterdir() if p != path]:
        return f"left behind: {left}"
    return ""


def run(kills: int, seed: int, folder: Path, longest: float = 0.6) -> Counter[str]:
    """Kill `kills` children; how often which call was under way. Raises AssertionError for the first thing wrong."""
    rng = random.Random(seed)
    path = folder / "kill.casebook"
    casebook, _ = Casebook.create(path, "passphrase to begin with", "parent", _cost=CHEAP)
    expected = Expected("passphrase to begin with")
    with casebook:
        casebook.add_incident("kills")
    counted: Counter[str] = Counter()
    for kill in range(kills):
        command = [sys.executable, "-m", "tests.casebook_kill", "--child", str(path), "--seed", str(seed * 1000 + kill)]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(expected.passphrase.encode())
        child.stdin.close()
        first = child.stdout.readline()
        assert first == b'["ready"]\n', child.stderr.read().decode()
        time.sleep(rng.uniform(0, longest))
        assert child.poll() is None, child.stderr.read().decode()
        child.send_signal(signal.SIGKILL)
        lines = [json.loads(line) for line in child.stdout.read().splitlines()]
        child.wait()
        child.stdout.close()
        child.stderr.close()
        under_way = follow(expected, lines)
        counted.update(str(line[1]) for line in lines if line[0] == "done")
        counted[f"killed in {under_way[0] if under_way else 'none'}"] += 1
        wrong = check(path, expected, under_way)
        assert not wrong, f"after kill {kill + 1} of {kills}, seed {seed}, in {under_way}: {wrong}"
    return counted


def main() -> int:
    """The child, or a run with its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        work(args.child, sys.stdin.read(), args.seed)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        counted = run(args.kills, args.seed, Path(folder))
    for name, count in sorted(counted.items()):
        print(f"{count:6} {name}")
    print(f"{args.kills} kills in {time.monotonic() - started:.0f} s: opened and verified every time, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
