"""The question before anything is opened: could anyone in these pictures be under 18?

There is no default answer, and nothing turns the question off. Whatever brings pictures into a casebook takes an
`Adults`, which only this module makes, and only from the answer that all are adults.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from detectors.errors import CounterproofError

if TYPE_CHECKING:
    import argparse

QUESTION = "Could anyone in these pictures be under 18?"
# Thanks, and what the app does not do; then what she should not do either. The helplines follow.
NOT_OPENED = (
    "Thank you for saying so. You have done nothing wrong. Counterproof will not open these pictures, "
    "will not make fingerprints of them and will not keep them.",
    "Please do not copy them or send them to anyone, not even to show what happened.",
)

_WIDTH = 88
# The terminal itself, wherever the streams lead: a list of files on standard input must not pass the question by.
_TERMINAL = "/dev/tty"
_ONLY_HERE = object()


class Answer(StrEnum):
    """What was answered. There is no value that stands for no answer."""

    ADULTS = "adults"
    MINOR = "minor"
    UNSURE = "unsure"


class Adults:
    """Proof that the question was asked and the answer was that all are adults. Only `admit` makes one."""

    __slots__ = ()

    def __init__(self, made_by: object = None) -> None:
        if made_by is not _ONLY_HERE:
            raise TypeError("only the answer to the age question makes this: age_gate.admit")


def may_open(answer: Answer) -> bool:
    """Whether anything may be opened, hashed, previewed or copied."""
    return answer is Answer.ADULTS


def admit(answer: Answer) -> Adults | None:
    """The proof for whatever imports pictures; None when they stay closed."""
    return Adults(_ONLY_HERE) if may_open(answer) else None


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--age` and `--country`."""
    parser.add_argument(
        "--age",
        choices=[str(a) for a in Answer],
        help="the answer to the question that is asked at a terminal, whether anyone in the pictures may be under 18: "
        "adults (nobody), minor (yes) or unsure. With minor or unsure no picture is opened, and helplines are shown",
    )
    parser.add_argument("--country", type=country, metavar="XX", help="your country, such as GB, for the helplines")


def scan_may_start(args: argparse.Namespace) -> bool:
    """Settle the question for a verb that keeps no picture (`scan`, `group`, `match`), before any file is opened.

    At a terminal it is asked unless `--age` was given. In a pipeline the run goes on: a script that inherits somebody's
    terminal would wait for ever. Says where to turn when it may not. Raises KeyboardInterrupt when the person leaves
    without an answer.
    """
    if args.age is None and not at_terminal():
        return True
    answer = Answer(args.age) if args.age else ask()
    if not may_open(answer):
        show_where_to_turn(args.country)
    return may_open(answer)


def settled(args: argparse.Namespace) -> Answer:
    """The answer for a verb that keeps what it is given: `--age`, or asked at a terminal.

    Raises CounterproofError where it cannot be asked, and KeyboardInterrupt when the person leaves without an answer.
    """
    if args.age:
        return Answer(args.age)
    if not _somebody_there():
        raise CounterproofError(
            "age_not_answered",
            "Nothing was opened: whether anyone in the pictures may be under 18 must be answered first.",
            "Add --age adults, --age minor or --age unsure.",
        )
    return ask()


def at_terminal() -> bool:
    """Whether somebody is there to ask: the question goes to standard error, the answer comes from standard input."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _somebody_there() -> bool:
    """Whether it can be asked of who keeps pictures: also where a list comes in by standard input."""
    if at_terminal():
        return True
    if not any(map(os.isatty, (0, 1, 2))):
        return False
    try:
        open(_TERMINAL).close()
    except OSError:
        return False
    return True


def ask() -> Answer:
    """Ask until there is an answer. The end of input is none: it raises KeyboardInterrupt, as Ctrl-C does."""
    if at_terminal():
        return _ask(sys.stdin, sys.stderr)
    with open(_TERMINAL) as typed, open(_TERMINAL, "w") as shown:
        return _ask(typed, shown)


def _ask(typed: TextIO, shown: TextIO) -> Answer:
    answers = {"1": Answer.ADULTS, "2": Answer.MINOR, "3": Answer.UNSURE}
    _write(f"Before we start. {QUESTION}\n\n  1  No, all adults\n  2  Yes\n  3  I am not sure\n\n", shown)
    _write("Nothing has been opened yet. If you are not sure, choose 3.\n", shown)
    while True:
        _write("Your answer (1, 2 or 3): ", shown)
        line = typed.readline()
        if not line:
            _write("\n", shown)
            raise KeyboardInterrupt
        if answer := answers.get(line.strip()):
            _write("\n", shown)
            return answer
        _write("Please type 1, 2 or 3, and press Enter.\n", shown)


def show_where_to_turn(where: str | None) -> None:
    """Say that nothing is opened, and who helps in the country, on standard error.

    A country that is not given is that of the locale; where it names none, the person at the terminal is asked.
    """
    from desktop.safety import helplines

    for paragraph in NOT_OPENED:
        _write(f"{_wrapped(paragraph)}\n\n")
    chosen = where or helplines.locale_country() or (_ask_country() if at_terminal() else "")
    try:
        _write(helplines.as_text(helplines.for_country(chosen, minors=True)))
    except CounterproofError as e:
        _write(f"{_wrapped(f'{e.message} {e.remedy}')}\n\n")
    if not chosen:
        _write("These help everywhere. To see those of a country too, add for example --country GB.\n")


def _ask_country() -> str:
    """The country, asked once; anything but two letters counts as not given."""
    _write("Which country are you in, so that we can name helplines there? Two letters such as GB, or just Enter: ")
    text = sys.stdin.readline().strip().upper()
    _write("\n")
    return text if len(text) == 2 and text.isascii() and text.isalpha() else ""


def country(text: str) -> str:
    """A country as typed: two letters of ISO 3166, in which UK is GB."""
    import argparse

    if not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise argparse.ArgumentTypeError("give a country as two letters, such as GB")
    return "GB" if text.upper() == "UK" else text.upper()


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _write(text: str, to: TextIO | None = None) -> None:
    to = to or sys.stderr
    to.write(text)
    to.flush()
