"""What is in a packet, and above all what is not: no PDQ, no image, no path, no name that the letter does not need.

A process of its own keeps a casebook with all that must stay there, and builds packets from it as a person would. Then
every byte of them is searched, inside the PDFs too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from desktop.packets import bag
from tests.conftest import ROOT
from tests.packet_texts import everything, files_of, found_in
from tests.unit.packet_bags import AT, KEY

ACCOUNT = "leakyaccount"
TEXTS = {
    "actor": "Leaky Actor-Name",
    "second actor": "Another Leaky-Person",
    "contact": "Leaky Contact-Person",
    "label": "leaky label of the item",
    "description": "leaky description in words",
    "note": "leaky note about what happened",
    "sighting note": "leaky note beside the address",
    "seen by": "Leaky Eye-Witness",
    "title": "leaky title of the incident",
    "wanted": "leaky wish for what happens",
    "consent": "Leaky Staff-Member",
    "request note": "leaky note in the request",
    "other address": "https://leaky-elsewhere.example/post/2",
}
WORK = """
import dataclasses, json, sys
from pathlib import Path
from desktop.casebook.casebook import Casebook
from desktop.casebook.keys import Cost
from desktop.packets import facts, gather
from desktop.packets.request import to_json
from detectors.inputs import find_inputs
from detectors.scan import ScanOptions, Scanner
from tests.unit.packet_requests import full_request

folder, picture, passphrase, t = Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
with Scanner(ScanOptions(jobs=1, thumbnails=True)) as scanner:
    report = next(iter(scanner.scan(find_inputs([picture]))))
    views = scanner.fingerprint(picture).views
path = folder / "her.casebook"
casebook, _ = Casebook.create(path, passphrase, t["actor"], _cost=Cost(10, 1))
one = casebook.add_incident(t["title"], depicted="Amina Okoro-Lindqvist", wanted=t["wanted"], country="US").id
image = Path(picture).read_bytes()
item = casebook.add_item(one, report, views, label=t["label"], image=image, thumbnail=report.thumbnail)
casebook.describe_item(item.id, t["description"])
casebook.add_note(one, t["note"], item_id=item.id)
post = "https://x.com/example_account/status/1899999999999999999"
seen = casebook.add_sighting(one, post, item_id=item.id, platform="X", handle="@example_account",
                             captured_by=t["seen by"], note=t["sighting note"])
casebook.add_sighting(one, t["other address"], item_id=item.id)
casebook.add_contact(one, t["contact"])
casebook.add_consent(one, t["consent"], role="staff", authority="none")
casebook.close()
with Casebook.open(path, passphrase, t["second actor"]) as casebook:
    casebook.viewed(item.id)
    known = gather.prefilled(casebook, one, sighting_ids=[seen.id])
for law, platform in (("us_tida", "x"), ("", "police"), ("", "stopncii")):
    full = full_request(facts.load(), law, platform, country="US")
    items = tuple(dataclasses.replace(i, label=t["label"], identification="the picture in the post", file=picture)
                  for i in known.items)
    sightings = tuple(dataclasses.replace(s, note=t["request note"]) for s in known.sightings)
    request = dataclasses.replace(full, items=items, sightings=sightings)
    (folder / f"{platform}.json").write_text(to_json(request))
    hashes = dataclasses.replace(request, include=dataclasses.replace(request.include, hashes=True))
    (folder / f"{platform}-hashes.json").write_text(to_json(hashes))
h = item.hashes
print(json.dumps({"pdq": [h.pdq, *(v.pdq for v in item.views)], "phash": [h.phash], "md5": [h.md5],
                  "sha256": h.sha256, "thumbnail": report.thumbnail.hex()}))
"""
PASSPHRASE = "leaky passphrase of plain words"  # noqa: S105


@dataclass
class Stage:
    """Packets by name, and what must not be in them, by what it is."""

    packets: dict[str, bytes]
    secrets: dict[str, list[bytes]]


def forms_of(text: str) -> list[bytes]:
    """A text as it may stand in a file, and as a PDF's text without its spaces."""
    return [
        text.encode(),
        "".join(text.split()).encode(),
        text.encode("utf-16-be"),
        text.encode("utf-16-le"),
        text.encode().hex().encode(),
    ]


def hash_forms(digits: str) -> list[bytes]:
    """A fingerprint as digits and as bytes."""
    return [digits.encode(), digits.upper().encode(), bytes.fromhex(digits)]


def windows(data: bytes, step: int = 64) -> list[bytes]:
    """Pieces of 64 bytes, of which each copied stretch of twice that length holds one whole."""
    pieces = [data[at : at + 64] for at in range(0, len(data) - 64, step)]
    return [piece for piece in pieces if len(set(piece)) > 16]  # not what any file may hold, such as runs of zeros


def run(*args: str | Path, env: dict[str, str], words: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "desktop", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, env=env, input=words, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    base = tmp_path_factory.mktemp("leaks")
    home, case = base / "home-of-leaky", base / "leaky-case-folder"
    home.mkdir()
    case.mkdir()
    picture = base / "leaky-picture-folder" / "leaky-file-name.jpg"
    picture.parent.mkdir()
    shutil.copy(ROOT / "resources" / "demo" / "03-plain-photo-portrait.jpg", picture)
    environment = {**os.environ, "HOME": str(home), "LOGNAME": ACCOUNT, "USER": ACCOUNT}
    environment |= {f"XDG_{n}_HOME": str(home / n) for n in ("CACHE", "CONFIG", "DATA", "STATE")}
    made = subprocess.run(
        [sys.executable, "-c", WORK, str(case), str(picture), PASSPHRASE, json.dumps(TEXTS)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    packets = {}
    for name in ("x", "x-hashes", "police", "stopncii", "stopncii-hashes"):
        out = base / f"out-{name}"
        signed = ("--casebook", case / "her.casebook", "--passphrase-fd", "0", "--as", TEXTS["second actor"])
        done = run("packet", "build", case / f"{name}.json", "-o", out, *signed, env=environment, words=PASSPHRASE)
        assert done.returncode == 0, done.stdout + done.stderr
        (path,) = out.glob("*.zip")
        packets[name] = path.read_bytes()
    secrets = {name: forms_of(text) for name, text in TEXTS.items()}
    secrets["account"] = forms_of(ACCOUNT)
    secrets["home"] = forms_of("home-of-leaky")
    secrets["casebook"] = [*forms_of("leaky-case-folder"), *forms_of("her.casebook")]
    secrets["picture's place"] = [*forms_of("leaky-picture-folder"), *forms_of("leaky-file-name")]
    secrets["passphrase"] = forms_of(PASSPHRASE)
    assert len(told["pdq"]) > 2
    for kind in ("pdq", "phash", "md5"):
        secrets[kind] = [form for digits in told[kind] for form in hash_forms(digits)]
    image = picture.read_bytes()
    secrets["image"] = windows(image)
    secrets["thumbnail"] = windows(bytes.fromhex(told["thumbnail"]))
    assert len(secrets["image"]) > 100
    return Stage(packets, secrets)


@pytest.mark.parametrize("name", ["x", "x-hashes", "police", "stopncii"])
def test_nothing_is_in_a_packet_but_what_it_is_for(stage: Stage, name: str) -> None:
    data = stage.packets[name]
    assert found_in(everything(data), stage.secrets) == set()
    assert not [p for p in files_of(data) if "image" in p or p == "data/hashes.csv"]
    assert "data/custody.csv" in files_of(data)


def test_the_letter_and_the_custody_log_are_there(stage: Stage) -> None:
    """So the search is of packets that hold something."""
    there = {"depicted": [b"Amina Okoro-Lindqvist"], "address": [b"x.com/example_account/status"], "who": [b"person 2"]}
    assert found_in(everything(stage.packets["x"]), there) == there.keys()


def test_fingerprints_go_to_who_runs_a_hash_programme_and_only_by_choice(stage: Stage) -> None:
    data = stage.packets["stopncii-hashes"]
    assert found_in(everything(data), stage.secrets) == {"pdq", "md5"}
    head, row = files_of(data)["data/hashes.csv"].decode().splitlines()
    assert head == "sha256,pdq,pdq_quality,md5,media_type,width,height,created_utc,tool"
    assert row.count(",") == head.count(",")


def test_each_planted_leak_is_found(stage: Stage) -> None:
    """In a file beside the letters, and inside a PDF."""
    sound = {p.removeprefix("data/"): d for p, d in files_of(stage.packets["x"]).items() if p.startswith("data/")}
    for name, forms in stage.secrets.items():
        for form in forms[:2]:
            leaky = bag.pack(sound | {"more.bin": b"before " + form + b" after"}, created_at=AT, key=KEY)
            assert name in found_in(everything(leaky.zip), {name: forms})


def test_a_name_inside_a_pdf_is_found(stage: Stage) -> None:
    import dataclasses

    from desktop.packets import complete, facts
    from tests.unit.packet_requests import full_request

    known = facts.load()
    request = full_request(known, "us_tida", "x")
    texts = dataclasses.replace(request.texts, reason=f"As {TEXTS['contact']} has told her, it is everywhere by now.")
    packet = bag.build(complete.assess(dataclasses.replace(request, texts=texts), known), known, key=KEY)
    letters = {p.removeprefix("data/"): d for p, d in files_of(packet.zip).items() if p.startswith("data/letters/")}
    assert letters
    only_pdf = bag.pack(letters, created_at=AT, key=KEY)
    assert found_in(everything(only_pdf.zip), stage.secrets) == {"contact"}
