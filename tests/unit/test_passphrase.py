"""Passphrases: where they may come from, and which are refused."""

from __future__ import annotations

import argparse
import getpass
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop.safety import passphrase
from detectors.errors import CounterproofError

GOOD = "lantern gravel otter midnight"


def read(*given: str) -> str:
    parser = argparse.ArgumentParser()
    passphrase.arguments(parser)
    return passphrase.read(parser.parse_args(given), "Passphrase")


def piped(data: bytes) -> int:
    """A descriptor that gives these bytes; they fit into a pipe."""
    end, start = os.pipe()
    os.write(start, data)
    os.close(start)
    return end


@pytest.mark.parametrize("data", [GOOD.encode(), f"{GOOD}\n".encode(), f"{GOOD}\r\nmore".encode()])
def test_the_first_line_of_a_descriptor(data: bytes) -> None:
    end = piped(data)
    assert read("--passphrase-fd", str(end)) == GOOD
    os.close(end)


def test_what_follows_the_line_is_left_to_others() -> None:
    end = piped(b"  two words \nlist.jpg\n")
    assert read("--passphrase-fd", str(end)) == "  two words "
    assert os.read(end, 100) == b"list.jpg\n"
    os.close(end)


def test_a_file_that_others_may_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{GOOD}\n")
    file.chmod(0o600)
    assert read("--passphrase-file", str(file)) == GOOD
    assert capsys.readouterr().err == ""
    file.chmod(0o640)
    assert read("--passphrase-file", str(file)) == GOOD
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"", b"\n", b"\nsecond line", b"\xff\xfe\n", b"a" * 5000])
def test_a_line_that_is_no_passphrase(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(CounterproofError, match="no_passphrase"):
        read("--passphrase-file", str(file))


def test_nothing_to_read_from(tmp_path: Path) -> None:
    for given in (["--passphrase-file", str(tmp_path / "none")], ["--passphrase-fd", "999"], []):
        with pytest.raises(CounterproofError, match="no_passphrase"):
            read(*given)


def test_neither_argument_nor_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        read("--passphrase", GOOD)
    for name in ("PASSPHRASE", "COUNTERPROOF_PASSPHRASE", "PASSWORD"):
        monkeypatch.setenv(name, GOOD)
    with pytest.raises(CounterproofError, match="no_passphrase"):
        read()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Sit = Callable[..., Terminal]


@pytest.fixture
def sit(monkeypatch: pytest.MonkeyPatch) -> Sit:
    def sat(*typed: str) -> Terminal:
        shown, left = Terminal(), list(typed)
        monkeypatch.setattr("sys.stderr", shown)

        def one(prompt: str) -> str:
            shown.write(prompt)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr(getpass, "getpass", one)
        return shown

    return sat


def test_a_new_one_is_asked_for_twice_until_it_is_good(sit: Sit) -> None:
    shown = sit("", "short", "password1234", GOOD, "another one, mistyped", GOOD, GOOD)
    assert passphrase.choose(None, None) == GOOD
    text = shown.getvalue()
    assert text.startswith("A good passphrase is long")
    for said in ("Nothing was typed", "too short", "first that anybody", "not the same"):
        assert said in text
    assert "Another word" not in text
    assert GOOD not in text


def test_a_short_one_that_will_do_gets_a_word_of_advice(sit: Sit) -> None:
    shown = sit("grauer otter", "grauer otter")
    assert passphrase.choose(None, None) == "grauer otter"
    assert "Another word" in shown.getvalue()


def test_leaving_the_prompt_is_no_passphrase(sit: Sit) -> None:
    sit()
    with pytest.raises(KeyboardInterrupt):
        passphrase.choose(None, None)
    with pytest.raises(KeyboardInterrupt):
        read()


def test_a_weak_one_that_is_given_is_refused(tmp_path: Path) -> None:
    end = piped(b"password123\n")
    with pytest.raises(CounterproofError, match="weak_passphrase") as caught:
        passphrase.choose(end, None)
    os.close(end)
    assert "password123" not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize(
    "weak",
    [
        *(
            "",
            "ninechars",
            "ｎｉｎｅｃｈａｒｓ",
            "password12",
            "Password!2026",
            "P@ssw0rd123",
            "123password",
            "Qwerty12345!",
        ),
        *("1234567890", "0987654321", "abcdefghijk", "qwertyuiopas", "aaaaaaaaaaaaaa", "abababababab", "abc123abc123"),
        *("I love you 22", "Contraseña1!", "counterproof1", "Pass word 12"),
    ],
)
def test_weak_ones(weak: str) -> None:
    assert passphrase.weakness(weak)


@pytest.mark.parametrize(
    "fine",
    [
        GOOD,
        "grauer otter",
        "my password is a lantern",
        "zehn zwölf",
        "Il pleut à Kisumu",
        "密码是一只灰色的水獭呀",
        "x7#Qm2!vLp9",
    ],
)
def test_fine_ones(fine: str) -> None:
    assert passphrase.weakness(fine) == ""
