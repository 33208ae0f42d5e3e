"""Passphrases: read from a prompt, a file descriptor or a file, never from an argument or the environment.

Arguments and the environment can be read by other programs of the same person, and stay in the shell's history.
"""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from typing import TYPE_CHECKING

from desktop import words
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    import argparse

SHORTEST = 10
# Below this a longer one is advised; four words are about as long.
GOOD = 18
ADVICE = (
    "A good passphrase is long rather than complicated: four or five words that have nothing to do with each other, "
    "and that nobody who knows you would guess. Do not take one that you use anywhere else."
)

_MOST_BYTES = 4096
# What the passwords that are tried first everywhere are made of; what adds fewer than _LITTLE_MORE to one is refused.
_COMMON = (
    *("password", "passphrase", "passwort", "contrasena", "motdepasse", "wachtwoord", "losenord", "iloveyou"),
    *("qwertyuiop", "qwerty", "qwertz", "azerty", "asdfghjkl", "zxcvbnm", "1q2w3e4r", "letmein", "welcome", "whatever"),
    *("administrator", "counterproof", "casebook", "trustno1", "superman", "sunshine", "princess", "football"),
    *("baseball", "starwars", "monkey", "dragon", "master", "michael", "jennifer", "charlie", "changeme", "secret"),
)
_LITTLE_MORE = 6
_IN_A_ROW = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm")
_LOOKALIKES = str.maketrans({"@": "a", "4": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s", "5": "s", "7": "t"})


def arguments(parser: argparse.ArgumentParser, new: bool = False) -> None:
    """Add `--passphrase-fd` and `--passphrase-file`, or with `new` those for the one that takes its place."""
    prefix, which = ("new-", "the new passphrase") if new else ("", "the passphrase")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        f"--{prefix}passphrase-fd",
        type=int,
        metavar="N",
        help=f"read {which} from file descriptor N, up to the end of a line, instead of asking",
    )
    group.add_argument(
        f"--{prefix}passphrase-file",
        metavar="FILE",
        help=f"read {which} from the first line of FILE, instead of asking",
    )


def read(args: argparse.Namespace, prompt: str) -> str:
    """An existing secret, as typed. Raises CounterproofError where there is none to read and nobody to ask."""
    given = _given(args.passphrase_fd, args.passphrase_file)
    return _typed(f"{prompt}: ") if given is None else given


def choose(descriptor: int | None, file: str | None) -> str:
    """A passphrase for something new: given, or asked for twice at the terminal, until there is a good one.

    Raises CounterproofError when the one that was given is too weak.
    """
    given = _given(descriptor, file)
    if given is not None:
        if why := weakness(given):
            raise CounterproofError("weak_passphrase", why, ADVICE)
        return given
    _need_terminal()
    _say(f"{ADVICE} What you type is not shown.")
    while True:
        chosen = _typed("New passphrase: ")
        if why := weakness(chosen):
            _say(why)
        elif _typed("The same again: ") != chosen:
            _say("The two were not the same. Please try again.")
        else:
            if len(chosen) < GOOD:
                _say("That will do. Another word or two would make it much stronger; you can change it at any time.")
            return chosen


def weakness(passphrase: str) -> str:
    """Why a passphrase is refused, in one sentence; empty when it is not."""
    text = unicodedata.normalize("NFKC", passphrase)
    if len(text) < SHORTEST:
        return f"This is too short: it needs at least {SHORTEST} characters."
    plain = _letters(text)
    if len(set(text)) < 5 or _repeated(text) or any(plain in row for row in _IN_A_ROW):
        return "This is too easy to guess: it repeats itself, or follows the keyboard or the alphabet."
    for form in (plain, _letters(text.casefold().translate(_LOOKALIKES))):
        for common in _COMMON:
            if common in form and len(form) - len(common) < _LITTLE_MORE:
                return "This is among the first that anybody would try."
    return ""


def _letters(text: str) -> str:
    """Small letters and digits alone, without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if c.isalnum())


def _repeated(text: str) -> bool:
    """Whether the text is a few characters again and again."""
    period = (text + text).find(text, 1)
    return period < len(text) and period < SHORTEST


def _given(descriptor: int | None, file: str | None) -> str | None:
    """What the descriptor or the file holds in its first line; None when neither was named."""
    if descriptor is not None:
        try:
            return _first_line(_bytes(descriptor), f"file descriptor {descriptor}")
        except OSError as e:
            raise _unreadable(f"file descriptor {descriptor}", e) from e
    if file is None:
        return None
    try:
        with open(file, "rb", buffering=0) as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if os.name != "nt" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
                name = words.visible(file)
                _say(f"Others on this computer may read {name}. To keep it to yourself: chmod 600 {name}")
            return _first_line(_bytes(opened.fileno()), words.visible(file))
    except OSError as e:
        raise _unreadable(words.visible(file), e) from e


def _bytes(descriptor: int) -> bytes:
    """Up to the first line's end, byte by byte, because what follows belongs to somebody else."""
    found = b""
    while len(found) <= _MOST_BYTES and (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
        found += byte
    return found


def _first_line(data: bytes, where: str) -> str:
    try:
        text = data.removesuffix(b"\r").decode("utf-8-sig")  # Notepad begins a file with a mark
    except UnicodeDecodeError as e:
        raise _not_usable(where, "is not text in UTF-8") from e
    if not text:
        raise _not_usable(where, "is empty")
    if len(data) > _MOST_BYTES:
        raise _not_usable(where, "is too long")
    return text


def _typed(prompt: str) -> str:
    """What is typed without being shown, asked again while it is empty. Raises KeyboardInterrupt at the input's end."""
    import getpass

    _need_terminal()
    try:
        while not (text := getpass.getpass(prompt)):
            _say("Nothing was typed. To stop, press Ctrl-C.")
    except EOFError as e:
        raise KeyboardInterrupt from e
    return text


def _need_terminal() -> None:
    """Raises CounterproofError where nobody is there to ask."""
    if not sys.stderr.isatty():
        raise CounterproofError(
            "no_passphrase",
            "The passphrase cannot be asked for, because this does not run at a terminal.",
            "Give it with --passphrase-file FILE or --passphrase-fd N.",
        )


def _not_usable(where: str, what: str) -> CounterproofError:
    return CounterproofError(
        "no_passphrase", f"The first line of {where} {what}.", "Put the passphrase there, on a line of its own."
    )


def _unreadable(where: str, error: OSError) -> CounterproofError:
    return CounterproofError(
        "no_passphrase", f"The passphrase could not be read from {where} ({error.strerror}).", "Name another one."
    )


def _say(text: str) -> None:
    import textwrap

    sys.stderr.write(textwrap.fill(text, 88, break_long_words=False, break_on_hyphens=False) + "\n")
    sys.stderr.flush()
