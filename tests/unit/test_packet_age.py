"""Encryption of a packet: for a key or with a passphrase, and a sentence for everything that does not fit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest

from desktop.packets import age_files, bag

DATA = b"the zip of a packet" * 1000
WORDS = "lantern gravel otter midnight"

needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="the command age is not on this machine")


@pytest.fixture(scope="module")
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def ssh_key(folder: Path, kind: str) -> tuple[str, str]:
    """A new SSH key without a passphrase: its public and its private text."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("the command ssh-keygen is not on this machine")
    path = folder / kind
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text(), path.read_text()


class TestKeys:
    def test_there_and_back(self, identity: pyrage.x25519.Identity) -> None:
        data = age_files.encrypt(DATA, recipients=[str(identity.to_public())])
        assert age_files.is_encrypted(data)
        assert not age_files.needs_passphrase(data)
        assert DATA[:100] not in data
        assert age_files.decrypt(data, identities=[f"# made today\n\n{identity}\n"]) == DATA

    def test_each_recipient_can_open_it(self) -> None:
        keys = [pyrage.x25519.Identity.generate() for _ in range(3)]
        data = age_files.encrypt(DATA, recipients=[str(k.to_public()) for k in keys])
        assert [age_files.decrypt(data, identities=[str(k)]) for k in keys] == [DATA] * 3

    @pytest.mark.parametrize("kind", ["ed25519", "rsa"])
    def test_ssh_keys(self, kind: str, tmp_path: Path) -> None:
        public, private = ssh_key(tmp_path, kind)
        assert age_files.decrypt(age_files.encrypt(DATA, recipients=[public]), identities=[private]) == DATA

    @pytest.mark.parametrize(
        "wrong", ["age1", "age1qqqq", "somebody@example.org", "", "ssh-ed25519 AAAA", "age1\u202e", "x" * 5000]
    )
    def test_what_is_no_key_is_said(self, wrong: str, identity: pyrage.x25519.Identity) -> None:
        with pytest.raises(bag.PacketError) as error:
            age_files.encrypt(DATA, recipients=[str(identity.to_public()), wrong])
        assert error.value.code == "bad_recipient"
        assert error.value.message.isprintable()
        assert len(error.value.message) < 200

    def test_another_key_does_not_open_it(self, identity: pyrage.x25519.Identity) -> None:
        data = age_files.encrypt(DATA, recipients=[str(identity.to_public())])
        with pytest.raises(bag.PacketError) as error:
            age_files.decrypt(data, identities=[str(pyrage.x25519.Identity.generate())])
        assert error.value.code == "not_decrypted"

    @pytest.mark.parametrize("wrong", ["", "# nothing", "AGE-SECRET-KEY-1", "-----BEGIN x", "\ud800"])
    def test_what_is_no_identity_is_said(self, wrong: str, identity: pyrage.x25519.Identity) -> None:
        data = age_files.encrypt(DATA, recipients=[str(identity.to_public())])
        with pytest.raises(bag.PacketError) as error:
            age_files.decrypt(data, identities=[wrong])
        assert error.value.code == "bad_identity"

    def test_a_changed_byte_is_noticed(self, identity: pyrage.x25519.Identity) -> None:
        data = bytearray(age_files.encrypt(b"short", recipients=[str(identity.to_public())]))
        for at in range(len(data)):
            data[at] ^= 1
            with pytest.raises(bag.PacketError):
                age_files.decrypt(bytes(data), identities=[str(identity)])
            data[at] ^= 1
        assert age_files.decrypt(bytes(data), identities=[str(identity)]) == b"short"

    @needs_age
    def test_the_age_command_opens_it(self, identity: pyrage.x25519.Identity, tmp_path: Path) -> None:
        (tmp_path / "key").write_text(str(identity))
        data = age_files.encrypt(DATA, recipients=[str(identity.to_public())])
        done = subprocess.run(["age", "-d", "-i", str(tmp_path / "key")], input=data, capture_output=True, check=True)
        assert done.stdout == DATA


class TestPassphrase:
    def test_there_and_back_and_not_with_another(self) -> None:
        data = age_files.encrypt(DATA, passphrase=WORDS)
        assert age_files.needs_passphrase(data)
        assert age_files.decrypt(data, passphrase=WORDS) == DATA
        with pytest.raises(bag.PacketError) as error:
            age_files.decrypt(data, passphrase=f"{WORDS} ")
        assert error.value.code == "not_decrypted"


def test_a_passphrase_that_would_take_gigabytes_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """age itself tries what takes 4 GB where the computer is fast."""
    made = age_files.encrypt(DATA, passphrase=WORDS)
    work = re.search(rb"-> scrypt \S+ (\d+)\n", made)
    assert work is not None
    assert 10 <= int(work[1]) <= 20
    tried = []
    monkeypatch.setattr(pyrage.passphrase, "decrypt", lambda *given: tried.append(given) or b"")
    for number in (18, 20, 21, 22, 63):
        hostile = made[: work.start(1)] + str(number).encode() + made[work.end(1) :]
        if number <= 20:
            age_files.decrypt(hostile, passphrase=WORDS)
            continue
        with pytest.raises(bag.PacketError, match="more memory"):
            age_files.decrypt(hostile, passphrase=WORDS)
    assert len(tried) == 2


def test_what_is_not_encrypted_is_said() -> None:
    with pytest.raises(bag.PacketError) as error:
        age_files.decrypt(b"PK\x03\x04")
    assert error.value.code == "not_encrypted"


def test_either_keys_or_a_passphrase() -> None:
    for both in ({}, {"recipients": ["age1"], "passphrase": "x"}):
        with pytest.raises(ValueError, match="either"):
            age_files.encrypt(b"", **both)  # type: ignore[arg-type]


def test_too_large_is_not_tried() -> None:
    with pytest.raises(bag.PacketError) as error:
        age_files.decrypt(b"age-encryption.org/v1\n" + bytes(bag.MOST_BYTES * 2), passphrase=WORDS)
    assert error.value.code == "packet_too_large"
