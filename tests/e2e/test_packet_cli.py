"""`counterproof packet` as a person and a recipient meet it: built by us, and checked with public tools alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from desktop.casebook.casebook import Casebook
from desktop.packets import bag, signatures
from tests.casebook_kill import CHEAP, numbered_report
from tests.conftest import ROOT
from tests.e2e.terminal import Terminal
from tests.packet_texts import files_of

COUNTERPROOF = [sys.executable, "-m", "desktop"]
DEMO_REQUEST = ROOT / "resources" / "demo" / "request.toml"
WORDS = "lantern gravel otter midnight"
TOOLS = ("unzip", "sha256sum", "openssl", "minisign")
# The commands that notice a change, and those that show whose key it is.
SIGNED = ("sha256sum -c manifest", "openssl pkeyutl", "minisign")
KEYS = ("openssl pkey -pubin -in signature/public-key.pem -outform", "sed")
UNLISTED = ["./signature/tagmanifest.minisig", "./signature/tagmanifest.sig", "./tagmanifest-sha256.txt"]
GROUPS = re.compile(r"  ([0-9a-f]{4} ){7}[0-9a-f]{4}").fullmatch
# bagit.py lies beside the Python that runs the tests.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def need(*tools: str) -> None:
    """Skip the test where one of the commands is missing."""
    for tool in tools:
        if shutil.which(tool, path=PATH) is None:
            pytest.skip(f"the command {tool} is not on this machine")


def packet(*words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [*COUNTERPROOF, "packet", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=120)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C"}
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packet of the demo request, as it was written, and unpacked."""
    need("unzip")
    folder = tmp_path_factory.mktemp("packet")
    done = packet("build", DEMO_REQUEST, "-o", folder / "out", "--key", folder / "key.pem")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shell("unzip -q *.zip", folder / "out").returncode == 0
    return folder / "out"


def unpacked(sent: Path, to: Path) -> Path:
    """The unpacked packet, as a copy that may be changed."""
    name = next(sent.glob("*.zip")).stem
    return Path(shutil.copytree(sent / name, to / name))


def commands(folder: Path) -> list[str]:
    """The commands in HOW_TO_VERIFY.txt."""
    lines = (folder / "HOW_TO_VERIFY.txt").read_text("ascii").splitlines()
    return [line.removeprefix("  $ ") for line in lines if line.startswith("  $ ")]


def command(folder: Path, begin: str) -> str:
    """The command in HOW_TO_VERIFY.txt that begins so."""
    (found,) = (c for c in commands(folder) if c.startswith(begin))
    return found


def fingerprint(folder: Path) -> str:
    """The fingerprint that HOW_TO_VERIFY.txt names, without spaces."""
    lines = (folder / "HOW_TO_VERIFY.txt").read_text("ascii").splitlines()
    (digits,) = re.findall("[0-9a-f]{64}", "".join(line.strip().replace(" ", "") for line in lines if GROUPS(line)))
    return str(digits)


def listed_anew(folder: Path) -> bytes:
    """Writes both lists anew, as somebody does who changed the packet; the list of lists."""
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    data = {path: content for path, content in files.items() if path.startswith("data/")}
    files[bag.MANIFEST] = bag.manifest(data)
    tags = {p: c for p, c in files.items() if p not in data and f"./{p}" not in UNLISTED}
    for name, content in ((bag.MANIFEST, files[bag.MANIFEST]), (bag.TAG_MANIFEST, bag.manifest(tags))):
        (folder / name).write_bytes(content)
    return bag.manifest(tags)


class TestPublicTools:
    def test_each_command_of_the_file_works_as_it_says(self, sent: Path, tmp_path: Path) -> None:
        need(*TOOLS)
        folder = unpacked(sent, tmp_path)
        found = commands(folder)
        says = {
            "sha256sum -c manifest": "OK",
            "shasum -a 256 -c manifest": "OK",
            "(cut": "\n".join(UNLISTED),
            "bagit.py": "is valid",
            "openssl pkeyutl": "Signature Verified Successfully",
            "minisign": "Signature and comment signature verified",
            "openssl pkey -pubin -in signature/public-key.pem -noout -text": "ED25519 Public-Key:",
            "openssl pkey -pubin -in signature/public-key.pem -outform": (there := fingerprint(folder)),
            "sed": there,
            "sha256sum -c *": "OK",
            "shasum -a 256 -c *": "OK",
        }
        assert len(found) == len(says)
        ran = 0
        for command, (begin, said) in zip(found, says.items(), strict=True):
            assert command.startswith(begin)
            if shutil.which(command.split()[0].strip("("), path=PATH) is None:
                continue
            done = shell(command, sent if "zip" in command else folder)
            assert done.returncode == 0, done.stderr
            assert said in done.stdout + done.stderr
            ran += 1
        assert ran >= 8

    def test_the_commands_are_in_the_documentation_too(self, sent: Path, tmp_path: Path) -> None:
        """What a packet says of itself, whoever changes it can change too."""
        known = (ROOT / "docs" / "packets.md").read_text("utf-8").splitlines()
        found = commands(unpacked(sent, tmp_path))
        assert found
        assert [command for command in found if command not in known] == []

    def test_every_file_is_in_the_two_lists_but_the_list_and_its_signatures(self, sent: Path, tmp_path: Path) -> None:
        folder = unpacked(sent, tmp_path)
        listed = {
            line.split("  ", 1)[1]
            for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt")
            for line in (folder / name).read_text().splitlines()
        }
        there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert there - listed == {
            "tagmanifest-sha256.txt",
            "signature/tagmanifest.sig",
            "signature/tagmanifest.minisig",
        }

    def test_a_changed_byte_in_any_file_fails(self, sent: Path, tmp_path: Path) -> None:
        need(*TOOLS)
        folder = unpacked(sent, tmp_path)
        route = [command(folder, begin) for begin in SIGNED]
        tried, unnoticed = 0, []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            whole = path.read_bytes()
            for at in {0, len(whole) // 2, len(whole) - 1}:
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                tried += 1
                if all(shell(command, folder).returncode == 0 for command in route):
                    unnoticed.append((path.name, at))
            path.write_bytes(whole)
        assert tried > 30
        # minisign itself passes over its first line, which is for people, and over bits that Base64 leaves unused. That
        # changes no signature; the fingerprint of the zip file and `counterproof packet verify` notice it.
        assert {name for name, _ in unnoticed} <= {"tagmanifest.minisig"}
        assert all(shell(command, folder).returncode == 0 for command in route), "so the files are whole again"

    def test_a_changed_byte_in_the_zip_fails(self, sent: Path, tmp_path: Path) -> None:
        need("sha256sum")
        (zip_file,) = sent.glob("*.zip")
        shutil.copy(sent / f"{zip_file.name}.sha256", tmp_path)
        whole = zip_file.read_bytes()
        ends = len(whole) - 1
        for at in (0, 10, 28, ends // 3, ends // 2, ends - 60, ends):
            (tmp_path / zip_file.name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert shell("sha256sum -c *.zip.sha256", tmp_path).returncode != 0
            assert packet("verify", tmp_path / zip_file.name).returncode == 1
        (tmp_path / zip_file.name).write_bytes(whole)
        assert shell("sha256sum -c *.zip.sha256", tmp_path).returncode == 0

    def test_a_replaced_key_shows(self, sent: Path, tmp_path: Path) -> None:
        need(*TOOLS)
        again = packet("build", DEMO_REQUEST, "-o", tmp_path / "out", "--key", tmp_path / "other.pem")
        assert again.returncode == 0
        shell("unzip -q *.zip", tmp_path / "out")
        (other,) = (p for p in (tmp_path / "out").iterdir() if p.is_dir())
        folder = unpacked(sent, tmp_path)
        for begin in KEYS:
            step = command(folder, begin)
            assert shell(step, folder).stdout != shell(step, other).stdout
        for path in ("signature/public-key.pem", "signature/minisign.pub"):
            shutil.copy(other / path, folder / path)
        assert [shell(command(folder, begin), folder).returncode != 0 for begin in SIGNED] == [True] * 3

    def test_a_file_that_was_added_shows(self, sent: Path, tmp_path: Path) -> None:
        """Beside data/, where bagit passes over it, and a list of other places to fetch files from."""
        need("unzip")
        step = "(cut"
        for number, name in enumerate(("READ_ME_FIRST.pdf", "letters/notice.en.pdf", "fetch.txt", "data/more.pdf")):
            folder = unpacked(sent, tmp_path / str(number))
            assert shell(command(folder, step), folder).stdout.split() == UNLISTED
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("https://elsewhere.example/notice.pdf 9 data/letters/notice.en.pdf\n")
            assert shell(command(folder, step), folder).stdout.split() == sorted([*UNLISTED, f"./{name}"])
        folder = unpacked(sent, tmp_path / "link")
        shutil.move(folder / "data", tmp_path / "data")
        (folder / "data").symlink_to(tmp_path / "data")
        assert shell(command(folder, step), folder).stdout.split() != UNLISTED

    def test_who_forges_a_packet_cannot_keep_the_fingerprint(self, sent: Path, tmp_path: Path) -> None:
        """Another letter, signed for minisign with another key, beside the sender's own key for OpenSSL."""
        need(*TOOLS)
        mine, other = unpacked(sent, tmp_path), Ed25519PrivateKey.from_private_bytes(bytes(32))
        public = signatures.raw_public(other)
        (mine / "data/letters/notice.en.pdf").write_bytes(b"%PDF-1.7 another letter")
        (mine / "signature/minisign.pub").write_bytes(signatures.minisign_key(public))
        listed = listed_anew(mine)
        (mine / "signature/tagmanifest.minisig").write_bytes(signatures.minisign(other, listed, "timestamp:1"))
        for begin in ("sha256sum -c manifest", "(cut", "minisign"):
            assert shell(command(mine, begin), mine).returncode == 0
        shown = shell(command(mine, "sed"), mine).stdout
        assert fingerprint(mine) not in shown
        assert signatures.fingerprint(public).replace(" ", "") in shown

    def test_a_key_of_another_kind_cannot_have_the_fingerprint(self, sent: Path, tmp_path: Path) -> None:
        """An RSA key can be made whose last 32 bytes are those of the sender's key: its exponent is free."""
        need(*TOOLS)
        shows = "openssl pkey -pubin -in signature/public-key.pem -noout -text"
        folder = unpacked(sent, tmp_path)
        exponent = int.from_bytes(bytes(31) + b"\1", "big") | 1 << 255
        key = rsa.RSAPublicNumbers(exponent, (1 << 2047) + 1).public_key()
        (folder / "signature/public-key.pem").write_bytes(
            key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        tail = exponent.to_bytes(32, "big")
        shown = shell(command(folder, "openssl pkey -pubin -in signature/public-key.pem -outform"), folder)
        assert hashlib.sha256(tail).hexdigest() in shown.stdout, "so the fingerprint alone is not enough"
        assert "ED25519" not in shell(command(folder, shows), folder).stdout


class TestBuild:
    def test_the_same_again_elsewhere_is_the_same(self, sent: Path, tmp_path: Path) -> None:
        done = packet("build", DEMO_REQUEST, "-o", tmp_path, "--key", sent.parent / "key.pem", "--json")
        assert done.returncode == 0
        made = json.loads(done.stdout)
        (there,) = sent.glob("*.zip")
        assert Path(made["written"][0]).read_bytes() == there.read_bytes()
        assert (made["name"], made["complete"], made["missing"]) == (there.stem, True, [])

    def test_encrypted_to_a_key_the_age_command_opens_it(self, sent: Path, tmp_path: Path) -> None:
        need("age")
        identity = pyrage.x25519.Identity.generate()
        (tmp_path / "id").write_text(f"{identity}\n")
        out = tmp_path / "out"
        key = ("--key", sent.parent / "key.pem")
        done = packet("build", DEMO_REQUEST, "-o", out, *key, "--to", str(identity.to_public()))
        assert done.returncode == 0, done.stderr
        (zip_file,) = sent.glob("*.zip")
        whole = zip_file.read_bytes()
        assert not list(out.glob("*.zip"))
        assert not [p for p in out.iterdir() if whole[:200] in p.read_bytes()]
        assert shell(f"age -d -i {tmp_path / 'id'} *.age > {zip_file.name}", out).returncode == 0
        assert (out / zip_file.name).read_bytes() == whole
        assert shell("sha256sum -c *.zip.sha256", out).returncode == 0
        (age,) = out.glob("*.age")
        assert packet("verify", age, "--identity", tmp_path / "id").returncode == 0
        assert packet("verify", age).returncode == 1

    def test_encrypted_with_a_passphrase(self, sent: Path, tmp_path: Path) -> None:
        out, key = tmp_path / "out", ("--key", sent.parent / "key.pem")
        done = packet("build", DEMO_REQUEST, "-o", out, *key, "--packet-passphrase-fd", "0", given=f"{WORDS}\n")
        assert done.returncode == 0, done.stderr
        assert WORDS not in done.stdout + done.stderr
        (age,) = out.glob("*.zip.age")
        assert packet("verify", age, "--passphrase-fd", "0", given=f"{WORDS}\n").returncode == 0
        wrong = packet("verify", age, "--passphrase-fd", "0", given="another one entirely\n")
        assert wrong.returncode == 1
        assert "not be decrypted" in wrong.stderr

    @pytest.mark.skipif(sys.platform == "win32", reason="pseudoterminals are of Unix")
    def test_pictures_only_after_being_told_and_saying_yes(self, tmp_path: Path) -> None:
        picture = ROOT / "resources" / "demo" / "01-plain-photo-cat.jpg"
        text = DEMO_REQUEST.read_text("utf-8")
        lines = [line for line in text.splitlines() if not line.startswith(("sha256", "md5", "file "))]
        request = tmp_path / "request.toml"
        request.write_text("\n".join(lines).replace("[[item]]", f'[[item]]\nfile = "{picture}"'))
        out = tmp_path / "out"
        build = [*COUNTERPROOF, "packet", "build", str(request), "-o", str(out), "--unsigned", "--image"]
        with Terminal([*build, "full"]) as terminal:
            terminal.until("Put them in?")
            terminal.types("")
            assert terminal.ended() == 1
        assert "cannot take it back" in " ".join(terminal.shown.split())
        assert not out.exists()
        silent = subprocess.run([*build, "full"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        assert silent.returncode == 1
        assert not out.exists()
        with Terminal([*build, "blurred"]) as terminal:
            terminal.until("Put them in?")
            terminal.types("yes")
            assert terminal.ended() == 0
        (zip_file,) = out.glob("*.zip")
        with zipfile.ZipFile(zip_file) as whole:
            (name,) = (n for n in whole.namelist() if "/images/" in n)
            blurred = whole.read(name)
        assert name.endswith("data/images/image-1-blurred.png")
        assert blurred.startswith(b"\x89PNG")
        original = picture.read_bytes()
        assert not any(original[at : at + 64] in blurred for at in range(0, len(original) - 64, 64))
        full = subprocess.run([*build, "full", "--yes"], capture_output=True, text=True, timeout=120)
        assert full.returncode == 0
        files = [data for zip_file in out.glob("*.zip") for data in files_of(zip_file.read_bytes()).items()]
        assert [data for path, data in files if path == "data/images/image-1.jpg"] == [original]


def test_with_a_casebook_it_signs_has_its_log_and_is_recorded_there(tmp_path: Path) -> None:
    case, out = tmp_path / "my.case", tmp_path / "out"
    report = numbered_report(1)
    book, _ = Casebook.create(case, WORDS, "Amina", _cost=CHEAP)
    with book:
        book.add_item(book.add_incident("Fakes of me").id, report)
    request = tmp_path / "request.toml"
    text = DEMO_REQUEST.read_text("utf-8")
    request.write_text(re.sub(r'sha256 = "[0-9a-f]+"', f'sha256 = "{report.sha256}"', text), "utf-8")
    build = ("build", request, "--casebook", case, "--passphrase-fd", "0", "--json")
    done = packet(*build, "-o", out, given=WORDS)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["recorded"]
    (zip_file,) = out.glob("*.zip")
    found = packet("verify", zip_file, "--signer", made["signer"], "--json")
    assert found.returncode == 0
    assert "data/custody.csv" in json.loads(found.stdout)["names"]
    again = packet(*build, "-o", tmp_path / "draft", "--draft", given=WORDS)
    assert not json.loads(again.stdout)["recorded"]
    with Casebook.open(case, WORDS, "Amina") as book:
        log = [row for row in book.log() if row.action == "packet built"]
        assert [row.details["sha256"] for row in log if row.details] == [made["sha256"]]
        assert str(out) not in str(list(book.log()))
        assert len(book.requests()) == 1
        assert book.verify().ok
    wrong = packet(*build, "-o", tmp_path / "wrong", given="not this one at all")
    assert wrong.returncode == 1
    assert not (tmp_path / "wrong").exists()


def test_a_start_for_pictures_loads_nothing_of_packets() -> None:
    code = (
        "import sys; from desktop.cli import main\n"
        "try: main(['scan', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(', '.join(m for m in sys.modules if m.startswith(('desktop.packet', 'typst', 'pyrage'))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
