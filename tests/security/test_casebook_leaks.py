"""While a casebook is open and after it is closed, nothing that it holds lies anywhere in clear.

A process of its own scans a picture with the cache on, records everything about it, and waits. Meanwhile, and again
when it has closed the casebook, every file in the casebook's folder, TMPDIR, HOME and the cache is read raw.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from desktop.casebook.keys import key_from_passphrase
from tests.conftest import ROOT

PASSPHRASE = "leaky-passphrase of plain words"  # noqa: S105
TEXTS = {
    "label": "leaky-label",
    "description": "leaky-description in words",
    "note": "leaky-note about what happened",
    "url": "https://leaky-site.example/post/1",
    "handle": "@leaky-handle",
    "title": "leaky-title",
    "depicted": "leaky-person",
    "wanted": "leaky-wish",
    "authority": "leaky-authority",
    "recipient": "leaky-recipient",
    "reference": "leaky-reference-number",
    "answer": "leaky-answer",
    "contact": "leaky-contact",
    "form": "leaky-form in her own words",
    "packet": "leaky-packet-name",
    "actor": "leaky-actor",
}
WORK = """
import json, sys
from pathlib import Path
from desktop.casebook.casebook import Casebook
from desktop.casebook.keys import Cost
from detectors.cache import Cache, default_path
from detectors.inputs import find_inputs
from detectors.scan import ScanOptions, Scanner

path, picture, passphrase, t = Path(sys.argv[1]), sys.argv[2], sys.stdin.readline()[:-1], json.loads(sys.argv[3])
cache = Cache(default_path())
with Scanner(ScanOptions(jobs=1, cache=cache, thumbnails=True)) as scanner:
    report = next(iter(scanner.scan(find_inputs([picture]))))
    views = scanner.fingerprint(picture).views
casebook, code = Casebook.create(path, passphrase, t["actor"], _cost=Cost(10, 1))
one = casebook.add_incident(t["title"], depicted=t["depicted"], wanted=t["wanted"]).id
casebook.add_consent(one, "staff", authority=t["authority"])
image = Path(picture).read_bytes()
item = casebook.add_item(one, report, views, label=t["label"], image=image, thumbnail=report.thumbnail)
casebook.describe_item(item.id, t["description"])
casebook.add_note(one, t["note"], item_id=item.id)
seen = casebook.add_sighting(one, t["url"], item_id=item.id, handle=t["handle"], screenshot=image[::-1])
request = casebook.add_request(one, t["recipient"], item_ids=[item.id], reference=t["reference"])
casebook.add_answer(request.id, "removed", t["answer"])
casebook.add_contact(one, t["contact"])
form = {"item": [{"id": item.id, "sha256": item.hashes.sha256}], "texts": {"reason": t["form"]}}
draft = casebook.new_packet(one, json.dumps(form), recipient=t["recipient"], item_ids=[item.id])
casebook.save_packet_form(draft.id, json.dumps({**form, "language": "fr"}), "sign")
casebook.packet_built(draft.id, t["packet"], item.hashes.sha256)
casebook.add_reference(one, picture, hashes=item.hashes, views=item.views)
casebook.backup(path.with_name("backup"))
code = casebook.change_passphrase(passphrase)
extra = casebook.add_item(one, report, views, label=t["label"], image=image[:5000])
casebook.delete_item(extra.id)
casebook.compact()
casebook.add_note(one, t["note"])  # so that the journal is not empty
casebook.save_packet_form(draft.id, json.dumps(form), "sign")
casebook.verify()
assert t["form"] in casebook.packet_form(draft.id).form
assert casebook.notes() and casebook.image(item.id) == image
hashes = [item.hashes.sha256, item.hashes.md5, item.hashes.pdq, item.hashes.phash, *(v.pdq for v in item.views)]
print(json.dumps({"code": code, "thumbnail": report.thumbnail.hex(), "hashes": hashes}), flush=True)
sys.stdin.readline()
casebook.close()
cache.close()
print("closed", flush=True)
sys.stdin.readline()
"""


@dataclass
class Stage:
    """A casebook at work: where it may write, and what must not be found there, by what it is."""

    folder: Path
    secrets: dict[str, list[bytes]]


def found(folder: Path, secrets: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Which secrets lie in which files below a folder, in any of their forms."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    assert files, "nothing was examined"
    out: dict[str, list[str]] = {}
    for file in files:
        data = str(file).encode() + file.read_bytes()
        for name, forms in secrets.items():
            if any(form in data for form in forms):
                out.setdefault(name, []).append(file.name)
    return out


def forms_of(text: str) -> list[bytes]:
    """A text as UTF-8 and UTF-16."""
    return [text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be")]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Stage]:
    """The same casebook while it is open, copied away, and after it was closed."""
    base = tmp_path_factory.mktemp("leaks")
    folders = {name: base / name for name in ("case", "tmp", "home", "cache", "config", "data", "state")}
    for folder in folders.values():
        folder.mkdir()
    (base / "pictures-elsewhere").mkdir()
    picture = base / "pictures-elsewhere" / "leaky-file-name.jpg"
    shutil.copy(ROOT / "resources" / "demo" / "03-plain-photo-portrait.jpg", picture)
    environment = {
        **os.environ,
        "HOME": str(folders["home"]),
        **dict.fromkeys(("TMPDIR", "SQLITE_TMPDIR", "TEMP", "TMP"), str(folders["tmp"])),
        **{f"XDG_{n.upper()}_HOME": str(folders[n]) for n in ("cache", "config", "data", "state")},
    }
    path = folders["case"] / "her.casebook"
    with subprocess.Popen(
        [sys.executable, "-c", WORK, str(path), str(picture), json.dumps(TEXTS)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(PASSPHRASE + "\n")
        child.stdin.flush()
        told = json.loads(child.stdout.readline())
        shutil.copytree(base, base / "while-open", ignore=shutil.ignore_patterns("while-open", "pictures-elsewhere"))
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "closed\n"
        child.stdin.write("\n")
    secrets = {name: forms_of(text) for name, text in TEXTS.items()}
    secrets["path"] = [*forms_of("leaky-file-name"), *forms_of("pictures-elsewhere")]
    secrets["passphrase"] = forms_of(PASSPHRASE)
    secrets["recovery code"] = [*forms_of(told["code"]), *forms_of(told["code"].replace("-", ""))]
    key = key_from_passphrase(PASSPHRASE, path.read_bytes()[:16]).secret
    secrets["key"] = [key, *forms_of(key.hex())]
    assert len(told["hashes"]) >= 5
    secrets["hash"] = [form for h in told["hashes"] for form in (bytes.fromhex(h), *forms_of(h), *forms_of(h.upper()))]
    image, thumbnail = picture.read_bytes(), bytes.fromhex(told["thumbnail"])
    secrets["pixel"] = [data[at : at + 24] for data in (image, image[::-1]) for at in range(1000, 30_000, 500)]
    secrets["thumbnail"] = [thumbnail[at : at + 24] for at in range(len(thumbnail) // 2, len(thumbnail) - 24, 24)]
    shutil.rmtree(base / "pictures-elsewhere")
    return Stage(base / "while-open", secrets), Stage(base, secrets)


@pytest.mark.parametrize("which", [0, 1], ids=["open", "closed"])
def test_nothing_lies_in_clear(stages: tuple[Stage, Stage], which: int) -> None:
    stage = stages[which]
    assert found(stage.folder, stage.secrets) == {}
    case, cache = stage.folder / "case", stage.folder / "cache"
    names = {p.name for p in case.iterdir()}
    assert names == {"her.casebook", "backup", *(["her.casebook-wal"] if which == 0 else [])}
    assert which == 1 or (case / "her.casebook-wal").stat().st_size > 4096
    assert list(cache.rglob("results.sqlite"))


def test_the_check_can_fail(stages: tuple[Stage, Stage], tmp_path: Path) -> None:
    """An ordinary SQLite file with the same content is caught, item by item, and so is a note in a temporary file."""
    secrets = stages[0].secrets
    plain = sqlite3.connect(tmp_path / "plain.sqlite")
    plain.execute("PRAGMA synchronous = OFF")
    plain.execute("CREATE TABLE t (v)")
    for name, forms in secrets.items():
        for form in forms:
            plain.execute("DELETE FROM t")
            plain.execute("INSERT INTO t VALUES (?)", (b"before " + form + b" after",))
            plain.commit()
            assert found(tmp_path, {name: [form]}) == {name: ["plain.sqlite"]}
    plain.close()
    (tmp_path / "plain.sqlite").unlink()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "etilqs_1").write_text("..." + TEXTS["note"])
    assert found(tmp_path, secrets) == {"note": ["etilqs_1"]}
    with pytest.raises(AssertionError, match="nothing was examined"):
        found(tmp_path / "empty", secrets)
