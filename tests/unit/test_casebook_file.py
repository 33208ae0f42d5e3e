"""The casebook's file: keys, wrong passphrases, damage, full disks, kills, copies, layouts."""

from __future__ import annotations

import binascii
import contextlib
import functools
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop.casebook import custody, database, keys, migrations
from desktop.casebook.casebook import Casebook
from desktop.casebook.records import CasebookError
from tests.casebook_kill import CHEAP, OPERATIONS, image_of, numbered_report, run

PASSPHRASE = "four unrelated dull words"  # noqa: S105
ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def template(items: int) -> tuple[bytes, str]:
    """A closed casebook with some items and a note, and its recovery code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "her.casebook"
        casebook, code = Casebook.create(path, PASSPHRASE, "tester", _cost=CHEAP)
        with casebook:
            incident = casebook.add_incident("An incident")
            for number in range(items):
                casebook.add_item(incident.id, numbered_report(number), label=f"item {number}", image=b"x" * 5000)
            casebook.add_note(incident.id, "a note to keep")
            casebook.add_request(incident.id, "a platform")
        return path.read_bytes(), code


def made(path: Path, items: int = 2) -> str:
    """The same casebook every time, at `path`; its recovery code."""
    data, code = template(items)
    path.touch(0o600)
    path.write_bytes(data)
    return code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "her.casebook"


def code_of(call: Callable[[], object]) -> str:
    """The code of the CasebookError that a call raises; its sentences are there."""
    with pytest.raises(CasebookError) as caught:
        call()
    assert caught.value.message.endswith((".", "?"))
    assert caught.value.remedy.endswith(".")
    return caught.value.code


def opened(path: Path) -> Casebook:
    return Casebook.open(path, PASSPHRASE, "tester")


# Keys


def test_a_file_of_one_whose_first_bytes_are_the_header(path: Path) -> None:
    Casebook.create(path, PASSPHRASE, "tester", _cost=CHEAP)[0].close()
    assert os.listdir(path.parent) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    header = path.read_bytes()[:16]
    keys.check_header(header)
    assert keys.Cost.from_byte(header[1]) == CHEAP
    with opened(path):
        assert sorted(os.listdir(path.parent)) == [path.name, path.name + "-wal"]
        assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in path.parent.iterdir())
    assert os.listdir(path.parent) == [path.name]


def test_the_key_is_argon2id_of_the_passphrase_in_nfkc() -> None:
    from argon2.low_level import Type, hash_secret_raw

    key = keys.new_key("Ａｎｇｓｔröm café", keys.Cost(12, 2))
    again = hash_secret_raw("Angström café".encode(), key.header[:10], 2, 4096, 4, 32, Type.ID)
    assert key.secret == again
    assert keys.key_from_passphrase("Angström café", key.header).secret == again
    assert keys.Cost(16, 3) == keys.FLOOR  # RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes


@pytest.mark.parametrize("cost", [keys.Cost(10, 1), keys.Cost(16, 3), keys.Cost(17, 12), keys.Cost(25, 16)])
def test_cost_fits_a_byte(cost: keys.Cost) -> None:
    assert keys.Cost.from_byte(cost.to_byte()) == cost


def test_deriving_takes_as_long_as_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    # An eighth of a second for a pass over 128 MiB; a slow machine; one without the memory; a very slow one.
    def speed(seconds: float, least: int) -> Callable[[keys.Cost], float]:
        return lambda cost: (
            seconds * cost.passes * 2 ** (cost.log2_kib - 17) if cost.log2_kib <= least else float("inf")
        )

    monkeypatch.setattr(keys, "_measured", speed(0.125, 17))
    assert keys.choose_cost() == keys.Cost(17, 6)
    monkeypatch.setattr(keys, "_measured", speed(0.5, 17))
    assert keys.choose_cost() == keys.Cost(16, 3)
    monkeypatch.setattr(keys, "_measured", speed(0.125, 16))
    assert keys.choose_cost() == keys.Cost(16, 12)
    monkeypatch.setattr(keys, "_measured", speed(9.0, 17))
    assert keys.choose_cost() == keys.FLOOR


def test_recovery_code_opens_however_it_is_typed(path: Path) -> None:
    code = made(path)
    assert len(code.split("-")) == 14
    assert not set(code) & set("ILOU")
    for typed in (code, code.lower().replace("-", " "), code.replace("1", "l").replace("0", "o")):
        Casebook.open_with_code(path, typed, "tester").close()
    for wrong in ("", "A" * 56, code[:-1], code[:-1] + ("A" if code[-1] != "A" else "B"), code[5:] + code[:5]):
        assert code_of(lambda wrong=wrong: Casebook.open_with_code(path, wrong, "tester")) == "wrong_recovery_code"
    casebook, other = Casebook.create(path.with_name("other"), PASSPHRASE, "tester", _cost=CHEAP)
    casebook.close()
    assert code_of(lambda: Casebook.open_with_code(path, other, "tester")) == "wrong_recovery_code"


def test_after_a_change_of_passphrase_the_old_ones_open_nothing(path: Path) -> None:
    old_code = made(path)
    with opened(path) as casebook:
        new_code = casebook.change_passphrase("another set of words")
        casebook.add_note(1, "written after the change")
        assert os.path.exists(path)
    assert os.listdir(path.parent) == [path.name]
    assert code_of(lambda: opened(path)) == "wrong_passphrase"
    assert code_of(lambda: Casebook.open_with_code(path, old_code, "tester")) == "wrong_recovery_code"
    Casebook.open_with_code(path, new_code, "tester").close()
    with Casebook.open(path, "another set of words", "tester") as casebook:
        assert [n.text for n in casebook.notes()] == ["a note to keep", "written after the change"]
        assert casebook.verify().ok
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_short_passphrases_are_refused_and_leave_nothing(path: Path) -> None:
    assert code_of(lambda: Casebook.create(path, "1234567", "tester")) == "weak_passphrase"
    assert not path.exists()
    made(path)
    with opened(path) as casebook:
        assert code_of(lambda: casebook.change_passphrase(" " * 20)) == "weak_passphrase"
        casebook.add_note(1, "still works")
    opened(path).close()


def test_secrets_are_in_no_repr_and_no_error(path: Path) -> None:
    code = made(path)
    casebook = opened(path)
    secret = casebook._key.secret
    shown = [repr(casebook), repr(casebook._key), str(vars(casebook))]
    casebook.close()
    for attempt in (
        lambda: Casebook.open(path, "a wrong passphrase", "tester"),
        lambda: Casebook.open_with_code(path, code[:-4] + "0000", "tester"),
        lambda: casebook.notes(),
    ):
        with pytest.raises(CasebookError) as caught:
            attempt()
        error: BaseException | None = caught.value
        while error is not None:
            shown += [repr(error), str(error), str(error.args)]
            error = error.__cause__ or error.__context__
    for hidden in (PASSPHRASE, "a wrong passphrase", code[:20], secret.hex(), repr(secret)[2:-1]):
        assert not any(hidden in text for text in shown)


# What cannot be opened


def test_each_reason_has_its_own_error(path: Path, tmp_path: Path) -> None:
    made(path)
    assert code_of(lambda: Casebook.open(path, "not the passphrase", "tester")) == "wrong_passphrase"
    assert code_of(lambda: opened(tmp_path / "nowhere")) == "casebook_missing"
    assert code_of(lambda: opened(tmp_path)) == "not_a_casebook"
    for name, data in (("empty", b""), ("text", b"hello " * 2000), ("sqlite", b"SQLite format 3\0" + bytes(8176))):
        (tmp_path / name).write_bytes(data)
        assert code_of(lambda name=name: opened(tmp_path / name)) == "not_a_casebook"
    assert code_of(lambda: Casebook.create(path, PASSPHRASE, "tester", _cost=CHEAP)) == "casebook_exists"
    with opened(path) as casebook:
        assert code_of(lambda: opened(path)) == "casebook_open_elsewhere"
        assert code_of(lambda: Casebook.look(path)) == "casebook_open_elsewhere"
        assert code_of(lambda: casebook.item(99)) == "no_such_record"
    assert code_of(casebook.incidents) == "casebook_closed"
    Casebook.look(path)
    Casebook.look(path)
    assert code_of(lambda: Casebook.look(tmp_path / "text")) == "not_a_casebook"
    casebook.close()


def test_another_process_is_told_that_it_is_open(path: Path) -> None:
    made(path)
    attempt = (
        "import sys; from pathlib import Path; from desktop.casebook.casebook import Casebook\n"
        "from desktop.casebook.records import CasebookError\n"
        f"try: Casebook.open(Path(sys.argv[1]), {PASSPHRASE!r}, 'other').close()\n"
        "except CasebookError as e: print(e.code)\n"
    )

    def tried() -> str:
        result = subprocess.run([sys.executable, "-c", attempt, str(path)], cwd=ROOT, capture_output=True, text=True)
        assert result.stderr == ""
        return result.stdout.strip()

    with opened(path) as casebook:
        assert tried() == "casebook_open_elsewhere"
        with pytest.raises(CasebookError):
            opened(path)  # must not let go of the lock
        with pytest.raises(CasebookError):
            Casebook.look(path)  # nor must this
        casebook.add_note(1, "mine")
        casebook.change_passphrase("another set of words")
        casebook.change_passphrase(PASSPHRASE)
        assert tried() == "casebook_open_elsewhere"
    assert tried() == ""


def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A small file system in memory; skips where one cannot be mounted."""
    folder.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(folder)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    yield from mounted(tmp_path / "disk", "-o", "size=1m")


def test_a_folder_that_cannot_be_written(small_disk: Path) -> None:
    path = small_disk / "her.casebook"
    made(path)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert code_of(lambda: opened(path)) == "casebook_read_only"
    assert code_of(lambda: Casebook.create(small_disk / "new", PASSPHRASE, "", _cost=CHEAP)) == "casebook_read_only"


# Damage


def test_every_flipped_byte_of_the_header_is_damage(path: Path) -> None:
    made(path, items=0)
    data = path.read_bytes()
    for position in range(16):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)
            assert code_of(lambda: opened(path)) == "casebook_damaged", (position, bit)


def noticed_flips(path: Path, positions: list[int], folder: Path) -> None:
    """Flip each of these bytes in turn; each must be found by the checks on opening."""
    data = bytearray(path.read_bytes())
    key = keys.key_from_passphrase(PASSPHRASE, bytes(data[:16]))
    copy = folder / "flipped"
    copy.write_bytes(data)
    with open(copy, "r+b", buffering=0) as file:
        for position in positions:
            os.pwrite(file.fileno(), bytes([data[position] ^ (1 << position % 8)]), position)
            try:
                with database.guarded():
                    db = database.connect(copy, key)
                    try:
                        problems = database.check_pages(db, len(data))
                    finally:
                        db.close()
                assert problems, position
            except CasebookError as e:
                assert e.code == "casebook_damaged", position  # noqa: PT017
            finally:
                os.pwrite(file.fileno(), bytes([data[position]]), position)


def test_flipped_bytes_of_pages_are_damage(path: Path, tmp_path: Path) -> None:
    made(path)
    size = path.stat().st_size
    ends = [p for start in range(0, size, 4096) for p in (start + 16, start + 2000, start + 4010, start + 4095)]
    noticed_flips(path, ends + random.Random(5).sample(range(16, size), 300), tmp_path)
    # And through the front door, with the right words.
    data = bytearray(path.read_bytes())
    for position in (100, size // 2, size - 1):
        flipped = bytearray(data)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        assert code_of(lambda: opened(path)) == "casebook_damaged"
    path.write_bytes(data)
    opened(path).close()


def test_damage_while_it_is_open_is_found_by_verify(path: Path) -> None:
    made(path)
    with opened(path) as casebook:
        assert casebook.verify().ok
        poke = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(-9, 2); f.write(bytes(1))"
        subprocess.run([sys.executable, "-c", poke, str(path)], check=True)
        verified = casebook.verify()
        assert not verified.ok
        assert "damaged" in verified.problems[0]


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d[:-4096], lambda d: d + b"\0", lambda d: d[:4095]])
def test_a_file_that_was_cut_or_grew_is_damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    made(path)
    path.write_bytes(change(path.read_bytes()))
    assert code_of(lambda: opened(path)) == "casebook_damaged"


def test_pages_of_an_older_copy_are_noticed(path: Path) -> None:
    made(path)
    old = path.read_bytes()
    with opened(path) as casebook:
        for _ in range(30):
            casebook.add_note(1, "more " * 100)
    new = path.read_bytes()
    pages = [n for n in range(len(old) // 4096) if old[n * 4096 : n * 4096 + 4096] != new[n * 4096 : n * 4096 + 4096]]
    assert len(pages) >= 3
    noticed = 0
    for page in pages:
        mixed = bytearray(new)
        mixed[page * 4096 : page * 4096 + 4096] = old[page * 4096 : page * 4096 + 4096]
        path.write_bytes(mixed)
        try:
            with opened(path) as casebook:
                # The page of the last used numbers may be old: it says nothing of what is recorded.
                assert not casebook.verify().ok or len(casebook.notes()) == 31, page
                noticed += not casebook.verify().ok
        except CasebookError as e:
            assert e.code == "casebook_damaged"  # noqa: PT017
            noticed += 1
    assert noticed >= len(pages) - 1


# The journal


def killed(path: Path, work: str) -> None:
    """Run `work` on the casebook in a process that then dies without closing it."""
    code = (
        "import os, sys; from pathlib import Path; from desktop.casebook.casebook import Casebook\n"
        f"casebook = Casebook.open(Path(sys.argv[1]), {PASSPHRASE!r}, 'killed')\n{work}\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT).returncode == -9


def test_the_journal_of_a_killed_process_is_taken_in(path: Path) -> None:
    made(path)
    killed(path, "for n in range(20): casebook.add_note(1, f'killed {n}')")
    journal = database.read_journal(path)
    assert journal.whole == journal.bytes > 20 * 4096
    assert not journal.damaged
    with opened(path) as casebook:
        assert casebook.notices == ()
        assert len(casebook.notes()) == 21
        assert casebook.verify().ok


def test_every_flipped_byte_of_the_journal_is_noticed(path: Path) -> None:
    made(path, items=0)
    killed(path, "casebook.add_note(1, 'last')")
    wal = database.journal_path(path)
    data = wal.read_bytes()
    assert not database.read_journal(path).damaged
    frame = 4096 + 24
    heads = [p for start in range(32, len(data), frame) for p in range(start, start + 24)]
    sample = random.Random(3).sample(range(len(data)), 200)
    for position in [*range(32), *heads, *sample, len(data) - 1]:
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        wal.write_bytes(flipped)
        assert database.read_journal(path).damaged, position


def test_a_damaged_journal_is_said_kept_and_logged(path: Path) -> None:
    made(path)
    killed(path, "casebook.add_note(1, 'first'); casebook.add_note(1, 'last')")
    wal = database.journal_path(path)
    data = bytearray(wal.read_bytes())
    data[-10] ^= 1
    wal.write_bytes(data)
    with opened(path) as casebook:
        assert "journal" in casebook.notices[0]
        assert [n.text for n in casebook.notes()] == ["a note to keep", "first"]
        verified = casebook.verify()
        assert not verified.ok
        assert "journal" in verified.problems[0]
    aside = path.with_name(path.name + "-damaged-journal-1")
    assert aside.read_bytes() == data
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    with opened(path) as casebook:
        assert casebook.verify().ok
        assert [row.action for row in casebook.log()][-1] == "journal damaged"


def test_an_unfinished_change_is_no_damage(path: Path) -> None:
    made(path)
    killed(path, "casebook.add_note(1, 'first'); casebook.add_note(1, 'last')")
    wal = database.journal_path(path)
    data = wal.read_bytes()
    for cut in (1, 24, 4096 + 24, 4096 + 24 + 5):
        wal.write_bytes(data[:-cut])
        journal = database.read_journal(path)
        assert not journal.damaged
        assert journal.whole < journal.bytes
    with opened(path) as casebook:
        assert casebook.notices == ()
        assert [n.text for n in casebook.notes()] == ["a note to keep", "first"]
        assert casebook.verify().ok


@pytest.mark.parametrize("key", ["the same key", "another key"])
def test_a_journal_of_another_state_does_not_ruin_a_restored_backup(path: Path, key: str) -> None:
    """SQLite would fold any journal into any file of that name."""
    made(path)
    with opened(path) as casebook:
        casebook.backup(path.with_name("backup"))
        if key == "another key":
            casebook.change_passphrase("another set of words")
            casebook.change_passphrase(PASSPHRASE)
        for number in range(40):
            casebook.add_note(1, f"later {number} " * 50)
    killed(path, "casebook.add_note(1, 'in the journal'); casebook.delete_item(2); casebook.add_note(1, 'last')")
    journal = database.journal_path(path).read_bytes()
    backup = path.with_name("backup").read_bytes()
    path.write_bytes(backup)
    with opened(path) as casebook:
        assert "another state" in casebook.notices[0]
        assert [n.text for n in casebook.notes()] == ["a note to keep"]
        assert len(casebook.items()) == 2
        assert casebook.verify().ok
    assert path.read_bytes() == backup
    assert path.with_name(path.name + "-damaged-journal-1").read_bytes() == journal
    assert sorted(p.name for p in path.parent.iterdir()) == ["backup", path.name, path.name + "-damaged-journal-1"]
    with opened(path) as casebook:
        assert casebook.notices == ()


def test_a_journal_is_taken_in_where_the_log_was_tampered_with_before(path: Path) -> None:
    made(path)
    db = database.connect(path, keys.key_from_passphrase(PASSPHRASE, path.read_bytes()[:16]))
    db.execute("UPDATE log SET actor = 'somebody else' WHERE seq = 2")
    db.close()
    killed(path, "casebook.add_note(1, 'in the journal')")
    with opened(path) as casebook:
        assert casebook.notices == ()
        assert len(casebook.notes()) == 2
        assert casebook.verify().problems == ("Row 2 of the custody log was changed.",)
    assert os.listdir(path.parent) == [path.name]


# Copies


def test_a_plain_copy_of_an_open_casebook_is_whole(path: Path) -> None:
    made(path)
    copy = path.with_name("copy")
    writer = (
        "import sys; from pathlib import Path; from desktop.casebook.casebook import Casebook\n"
        f"casebook = Casebook.open(Path(sys.argv[1]), {PASSPHRASE!r}, 'writer')\n"
        "print('ready', flush=True)\n"
        "while True: casebook.add_note(1, 'more and more ' * 50)\n"
    )
    with subprocess.Popen([sys.executable, "-c", writer, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        for _ in range(10):
            shutil.copyfile(path, copy)
            with opened(copy) as casebook:
                assert casebook.verify().ok
                assert casebook.notes()[0].text == "a note to keep"
            time.sleep(0.02)
        child.kill()


def test_backup_is_whole_and_later_than_a_copy(path: Path) -> None:
    code = made(path)
    to = path.with_name("backup")
    with opened(path) as casebook:
        casebook.add_note(1, "not yet folded in")
        casebook.backup(to)
        assert code_of(lambda: casebook.backup(to)) == "casebook_exists"
        assert code_of(lambda: casebook.backup(path)) == "casebook_exists"
        assert code_of(lambda: casebook.backup(path.parent / "nowhere" / "b")) == "casebook_missing"
        casebook.add_note(1, "after the backup")
        assert [row.action for row in casebook.log() if row.subject == "casebook"] == ["created", "backed up"]
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    for again in (opened, lambda to: Casebook.open_with_code(to, code, "tester")):
        with again(to) as backup:
            assert [n.text for n in backup.notes()] == ["a note to keep", "not yet folded in"]
            assert backup.verify().ok
            assert len(backup.image(1)) == 5000


def test_compacting_gives_space_back(path: Path) -> None:
    made(path)
    with opened(path) as casebook:
        item = casebook.add_item(1, numbered_report(9), image=image_of(9))
        casebook.delete_item(item.id)
        before = path.stat().st_size
        assert casebook.compact() > 150_000
        assert path.stat().st_size < before - 150_000
        assert casebook.verify().ok
        casebook.add_note(1, "goes on")
    with opened(path) as casebook:
        assert len(casebook.notes()) == 2


def test_a_long_journal_is_folded_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "JOURNAL_BYTES", 100_000)
    made(path)
    with opened(path) as casebook:
        sizes = []
        for _ in range(10):
            casebook.add_note(1, "word " * 2000)
            sizes.append(database.journal_bytes(path))
        assert max(sizes) <= 100_000
        assert 0 in sizes


# A full disk

FULL: dict[str, Callable[[Casebook], object]] = {
    "import": lambda c: c.add_item(1, numbered_report(50), image=random.Random(1).randbytes(900_000)),
    "note": lambda c: c.add_note(1, "too much " * 100_000),
    "passphrase": lambda c: c.change_passphrase("another set of words"),
    "backup": lambda c: c.backup(c.path.with_name("backup")),
    "delete": lambda c: c.delete_item(1),
    "form": lambda c: c.new_packet(1, json.dumps({"texts": {"reason": "too much " * 100_000}})),
    "packet": lambda c: c.packet_built(c.requests()[0].id, "name " * 200_000, "00" * 32),
}


def filled(disk: Path) -> Path:
    """Write until there is no room; the file to be removed for room."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    return filler


def nothing_lost(casebook: Casebook) -> None:
    assert [n.text for n in casebook.notes()] == ["a note to keep"]
    assert [i.label for i in casebook.items()] == ["item 0", "item 1"]
    assert len(casebook.image(1)) == 5000
    assert casebook.verify().ok


def test_every_operation_is_tried_on_a_full_disk() -> None:
    assert set(FULL) == set(OPERATIONS)


@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_disk_full(small_disk: Path, operation: str) -> None:
    path = small_disk / "her.casebook"
    made(path)
    with opened(path) as casebook:
        filler = filled(small_disk)
        assert code_of(lambda: FULL[operation](casebook)) == "disk_full"
        left = {p.name for p in small_disk.iterdir()}
        assert left <= {path.name, path.name + "-wal", "filler"}
        filler.unlink()
        nothing_lost(casebook)
        casebook.add_note(1, "goes on")
    with opened(path) as casebook:
        assert casebook.notices == ()
        assert [n.text for n in casebook.notes()] == ["a note to keep", "goes on"]
        assert casebook.verify().ok


@contextlib.contextmanager
def no_growth() -> Iterator[None]:
    """No file of this process may grow beyond 8 KiB: as a full disk, where no file system can be mounted."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_no_file_may_grow(path: Path, operation: str) -> None:
    made(path)
    with opened(path) as casebook:
        with no_growth():
            code = code_of(lambda: FULL[operation](casebook))
        assert code == "disk_full"
        assert {p.name for p in path.parent.iterdir()} <= {path.name, path.name + "-wal"}
        nothing_lost(casebook)
        FULL[operation](casebook)  # there is room again
        assert casebook.verify().ok
    words = "another set of words" if operation == "passphrase" else PASSPHRASE
    with Casebook.open(path, words, "tester") as casebook:
        assert casebook.notices == ()
        assert casebook.verify().ok


def test_a_change_that_failed_leaves_nothing_that_looks_like_damage(small_disk: Path) -> None:
    path = small_disk / "her.casebook"
    made(path)
    size = path.stat().st_size
    killed(
        path,
        "from desktop.casebook.records import CasebookError\n"
        f"try: casebook.add_note(1, 'x' * {1_048_576 - size})\n"
        "except CasebookError as e: assert e.code == 'disk_full'\n"
        "else: raise SystemExit('there was room')\n"
        "casebook.add_note(1, 'short')",
    )
    journal = database.read_journal(path)
    assert journal.whole == journal.bytes
    with opened(path) as casebook:
        assert casebook.notices == ()
        assert [n.text for n in casebook.notes()] == ["a note to keep", "short"]


def test_a_casebook_with_a_journal_opens_on_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "her.casebook"
    made(path)
    killed(path, "casebook.add_note(1, 'word ' * 10_000)")
    filled(small_disk)
    with opened(path) as casebook:
        assert "full" in casebook.notices[0]
        assert len(casebook.notes()) == 2
        assert code_of(lambda: casebook.add_note(1, "more " * 10_000)) == "disk_full"
    with opened(path) as casebook:
        assert len(casebook.notes()) == 2


# Kills


def test_nothing_acknowledged_is_lost_to_kills(tmp_path: Path) -> None:
    counted = run(5, seed=int.from_bytes(os.urandom(2), "big"), folder=tmp_path, longest=0.3)
    assert sum(n for name, n in counted.items() if name in OPERATIONS) > 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_change_of_passphrase_leaves_one_whole_file(path: Path, when: str) -> None:
    made(path)
    killed(
        path,
        "real = Path.replace\n"
        "def replace(self, to):\n"
        f"    if {when == 'after'}: real(self, to)\n"
        "    os.kill(os.getpid(), 9)\n"
        "Path.replace = replace\n"
        "casebook.add_note(1, 'in the journal')\n"
        "casebook.change_passphrase('another set of words')",
    )
    assert path.with_name(path.name + database.UNFINISHED).exists() == (when == "before")
    with Casebook.open(path, PASSPHRASE if when == "before" else "another set of words", "tester") as casebook:
        assert casebook.notices == ()
        assert len(casebook.notes()) == 2
        assert casebook.verify().ok
    assert os.listdir(path.parent) == [path.name]


def test_a_new_file_that_cannot_take_the_old_ones_place_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    with opened(path) as casebook:

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            assert code_of(lambda: casebook.change_passphrase("another set of words")) == "casebook_read_only"
        casebook.add_note(1, "goes on")
        assert casebook.verify().ok
    assert os.listdir(path.parent) == [path.name]
    with opened(path) as casebook:
        assert len(casebook.notes()) == 2


# Layouts


def test_migrations_run_forward_each_in_one_step(path: Path) -> None:
    made(path)
    steps = (
        *migrations.STEPS,
        lambda db: db.execute("ALTER TABLE note ADD COLUMN colour TEXT"),
        lambda db: db.execute("ALTER TABLE note ADD COLUMN shape TEXT"),
    )
    key = keys.key_from_passphrase(PASSPHRASE, path.read_bytes()[:16])
    db = database.connect(path, key)

    def fails(_: object) -> None:
        db.execute("ALTER TABLE note ADD COLUMN half TEXT")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        migrations.migrate(db, (*steps[:-1], fails))
    assert db.execute("PRAGMA user_version").fetchone()[0] == len(steps) - 1
    names = [row[1] for row in db.execute("PRAGMA table_info(note)")]
    assert "colour" in names
    assert "half" not in names
    migrations.migrate(db, steps)
    assert "shape" in [row[1] for row in db.execute("PRAGMA table_info(note)")]
    db.close()
    assert code_of(lambda: opened(path)) == "casebook_newer"


def test_a_newer_header_is_newer_and_not_damaged(path: Path) -> None:
    made(path)
    data = bytearray(path.read_bytes())
    data[0] = 2
    data[14:16] = keys._crc(bytes(data[:14]))
    path.write_bytes(data)
    assert code_of(lambda: opened(path)) == "casebook_newer"


# Names


def test_a_copy_is_never_taken_for_what_was_left_unfinished(path: Path) -> None:
    made(path)
    with opened(path) as casebook:
        notes = len(casebook.notes())
        casebook.backup(path.with_name(path.name + ".new"))
        for ending in ("-wal", "-journal", "-shm", database.UNFINISHED):
            for write in (casebook.backup, casebook.export):
                assert code_of(lambda w=write, e=ending: w(path.with_name(path.name + e))) == "bad_name"
                assert code_of(lambda w=write, e=ending: w(path.with_name("other" + e))) == "bad_name"
        casebook.add_note(1, "goes on")
        assert casebook.verify().ok
    with opened(path) as casebook:
        assert len(casebook.notes()) == notes + 1
        with Casebook.open(path.with_name(path.name + ".new"), PASSPHRASE, "tester") as copy:
            assert len(copy.notes()) == notes


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
@pytest.mark.parametrize("name", [b"\xff\xfe", b"a?b#c%20'd\"e;f", b":memory:"])
def test_the_name_of_the_file_can_be_any(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    with Casebook.create(path, PASSPHRASE, "tester", _cost=CHEAP)[0] as casebook:
        casebook.add_incident("x")
        casebook.backup(path.with_name(path.name + "b"))
        casebook.export(path.with_name(path.name + "e"))
        casebook.compact()
        casebook.change_passphrase("another set of words", _cost=CHEAP)
        assert casebook.verify().ok
    for there, passphrase in ((path, "another set of words"), (path.with_name(path.name + "b"), PASSPHRASE)):
        with Casebook.open(there, passphrase, "tester") as casebook:
            assert len(casebook.incidents()) == 1
    assert len(os.listdir(tmp_path)) == 3


def test_a_new_passphrase_is_not_cheaper_to_guess_than_the_floor(path: Path) -> None:
    """A file that somebody prepared at the least cost does not pass that on."""
    with Casebook.create(path, PASSPHRASE, "tester", _cost=CHEAP)[0] as casebook:
        casebook.change_passphrase("another set of words")
    cost = keys.Cost.from_byte(path.read_bytes()[1])
    assert (cost.log2_kib, cost.passes) == (keys.FLOOR.log2_kib, keys.FLOOR.passes)


def no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_damaged_journal_that_cannot_be_copied_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    damaged = b"no journal" * 100
    database.journal_path(path).write_bytes(damaged)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", no_room)
        assert code_of(lambda: opened(path)) == "disk_full"
    assert sorted(os.listdir(path.parent)) == [path.name, path.name + "-wal"]
    assert database.journal_path(path).read_bytes() == damaged
    with opened(path) as casebook:
        assert "journal" in casebook.notices[0]
        assert casebook.verify().problems


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be renamed there")
def test_a_backup_put_over_a_casebook_with_its_journal_is_not_ruined_on_a_full_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    with opened(path) as casebook:
        for _ in range(20):
            casebook.add_note(1, "long " * 600)
    backup = path.read_bytes()
    with opened(path) as casebook:
        for _ in range(40):
            casebook.add_note(1, "other" * 600)
        casebook.compact()
        for _ in range(20):
            casebook.add_note(1, "again" * 600)
        journal = database.journal_path(path).read_bytes()
    path.write_bytes(backup)
    database.journal_path(path).write_bytes(journal)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", no_room)
        assert code_of(lambda: opened(path)) == "disk_full"
    assert sorted(os.listdir(path.parent)) == [path.name, path.name + "-wal"]
    assert path.read_bytes() == backup
    with opened(path) as casebook:
        assert "another state" in casebook.notices[0]
        assert casebook.verify().ok


def test_a_stop_while_a_journal_is_checked_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    before = killed_with_a_note(path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for where in ("verify", "check_head"):
        with monkeypatch.context() as patch:
            patch.setattr(custody, where, stop)
            with pytest.raises(KeyboardInterrupt):
                opened(path)
        if where == "verify":
            assert database.journal_path(path).read_bytes() == before
    with opened(path) as casebook:
        assert casebook.notices == ()
        assert casebook.notes()[-1].text == "in the journal"
    assert os.listdir(path.parent) == [path.name]


def killed_with_a_note(path: Path) -> bytes:
    """Leave a journal as a killed process does; its bytes."""
    killed(path, "casebook.add_note(1, 'in the journal')\nos.kill(os.getpid(), 9)")
    return database.journal_path(path).read_bytes()


def test_a_damaged_file_and_its_journal_stay_as_they_are(path: Path) -> None:
    made(path)
    journal = killed_with_a_note(path)
    data = bytearray(path.read_bytes())
    written = {int.from_bytes(journal[at : at + 4], "big") for at in range(32, len(journal), 24 + 4096)}
    pages = set(range(2, len(data) // 4096 + 1)) - written
    assert pages
    for page in pages:
        data[(page - 1) * 4096 + 100] ^= 1
    path.write_bytes(data)
    assert code_of(lambda: opened(path)) == "casebook_damaged"
    assert path.read_bytes() == data
    assert database.journal_path(path).read_bytes() == journal
    assert sorted(os.listdir(path.parent)) == [path.name, path.name + "-wal"]


@pytest.mark.skipif(os.name == "nt", reason="there are no core dumps")
def test_a_crash_leaves_no_copy_of_the_memory(path: Path) -> None:
    made(path)
    code = (
        "import resource, sys; from pathlib import Path; from desktop.casebook.casebook import Casebook\n"
        "hard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
        f"Casebook.open(Path(sys.argv[1]), {PASSPHRASE!r}, 'x')\n"
        "sys.exit(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT).returncode == 0


def test_journals_that_were_set_aside_are_named(path: Path) -> None:
    made(path)
    with opened(path) as casebook:
        assert casebook.set_aside() == []
    database.journal_path(path).write_bytes(b"no journal" * 100)
    with opened(path) as casebook:
        assert casebook.set_aside() == [path.name + "-damaged-journal-1"]


def test_a_header_that_asks_for_all_memory_is_refused() -> None:
    for log2_kib, refused in ((20, False), (21, True), (25, True)):
        start = bytes((1, keys.Cost(log2_kib, 3).to_byte())) + bytes(12)
        header = start + binascii.crc_hqx(start, 0xFFFF).to_bytes(2, "big")
        if refused:
            assert code_of(lambda header=header: keys.check_header(header)) == "casebook_damaged"
        else:
            keys.check_header(header)
