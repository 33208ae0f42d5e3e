"""The age gate: no answer by default, nothing opened without one, and no way round it in the source."""

from __future__ import annotations

import argparse
import ast
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desktop import batch, cli
from desktop.safety import age_gate
from desktop.safety.age_gate import Adults, Answer
from detectors.errors import CounterproofError
from tests.conftest import ROOT


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Sit = Callable[[str], Terminal]


@pytest.fixture
def sit(monkeypatch: pytest.MonkeyPatch) -> Sit:
    """Somebody sits down at a terminal: give what she types, get what she is shown."""
    monkeypatch.setenv("LC_ALL", "C")

    def sat(typed: str) -> Terminal:  # in the test itself, because pytest sets its own streams before it
        shown = Terminal()
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        monkeypatch.setattr("sys.stderr", shown)
        return shown

    return sat


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    age_gate.arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("1\n", Answer.ADULTS), ("2\n", Answer.MINOR), ("3\n", Answer.UNSURE), ("\nno\ny\n0\n 3 \n", Answer.UNSURE)],
)
def test_only_a_number_is_an_answer(sit: Sit, typed: str, answer: Answer) -> None:
    terminal = sit(typed)
    assert age_gate.settled(parsed()) is answer
    assert age_gate.QUESTION in terminal.getvalue()
    assert terminal.getvalue().count("Please type") == typed.count("\n") - 1


@pytest.mark.parametrize("typed", ["", "\n\n", "yes"])
def test_the_end_of_input_is_no_answer(sit: Sit, typed: str) -> None:
    sit(typed)
    with pytest.raises(KeyboardInterrupt):
        age_gate.settled(parsed())


def test_only_adults_may_be_opened() -> None:
    assert [a for a in Answer if age_gate.may_open(a)] == [Answer.ADULTS]
    assert isinstance(age_gate.admit(Answer.ADULTS), Adults)
    assert age_gate.admit(Answer.MINOR) is None
    assert age_gate.admit(Answer.UNSURE) is None


@pytest.mark.parametrize("made_by", [(), (None,), (True,), (Answer.ADULTS,)])
def test_the_proof_cannot_be_made_elsewhere(made_by: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        Adults(*made_by)


def test_what_keeps_pictures_wants_an_answer_without_a_terminal_too() -> None:
    with pytest.raises(CounterproofError, match="age_not_answered"):
        age_gate.settled(parsed())
    assert age_gate.settled(parsed("--age", "unsure")) is Answer.UNSURE


def test_an_answer_that_does_not_exist_is_not_understood() -> None:
    for wrong in (["--age", "none"], ["--age", ""], ["--age"], ["--country", "Kenya"]):
        with pytest.raises(SystemExit):
            parsed(*wrong)


def test_a_scan_without_a_terminal_goes_on_unasked() -> None:
    assert age_gate.scan_may_start(parsed())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /dev/tty")
def test_a_list_on_standard_input_does_not_pass_the_question_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """She sits at a terminal, and `find … | counterproof case add my.case -`, or its messages, lead elsewhere."""
    end, inside = os.openpty()
    try:
        monkeypatch.setattr(age_gate, "_TERMINAL", os.ttyname(inside))
        for stream in (0, 1, 2):
            monkeypatch.setattr(os, "isatty", lambda fd, only=stream: fd == only)
            for typed, answer in (("1\n", Answer.ADULTS), ("3\n", Answer.UNSURE)):
                os.write(end, typed.encode())
                assert age_gate.settled(parsed()) is answer
            assert age_gate.scan_may_start(parsed()), "a script that inherits her terminal must not wait for ever"
        assert age_gate.QUESTION in os.read(end, 4096).decode()
    finally:
        os.close(end)
        os.close(inside)


@pytest.mark.parametrize("age", ["minor", "unsure"])
@pytest.mark.parametrize("asked", [True, False])
def test_a_scan_that_may_show_a_minor_opens_nothing(
    sit: Sit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, age: str, asked: bool
) -> None:
    def opened(*_: object) -> None:
        pytest.fail("something was opened")

    for name in ("Scanner", "listed", "_open_writers"):
        monkeypatch.setattr(batch, name, opened)
    results = tmp_path / "results.jsonl"
    words = ["scan", str(tmp_path), "--jsonl", str(results), "--country", "nz"]
    terminal = sit({"minor": "2\n", "unsure": "3\n"}[age] if asked else "")
    assert cli.main(words if asked else [*words, "--age", age]) == 1
    shown = terminal.getvalue()
    assert ("Your answer" in shown) is asked
    assert "takeitdown.ncmec.org" in shown
    assert "netsafe.org.nz" in shown
    assert "check before you rely on it" in shown
    assert not results.exists()


_watched: list[str] = []
_touched: list[str] = []


def _watch(event: str, args: tuple[object, ...]) -> None:
    if _watched and event in ("open", "os.listdir", "os.scandir") and _watched[0] in str(args[0]):
        _touched.append(f"{event} {args[0]}")


sys.addaudithook(_watch)  # of the whole process, and for good: it does nothing unless something is watched

VERBS = [
    ["scan", "{}"],
    ["group", "{}"],
    ["match", "{}", "--against", "{}/list.txt"],
    ["models", "calibrate", "some", "--real", "{}", "--synthetic", "{}"],
    ["case", "add", "no.case", "{}"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("answer", ["1", "2", "3", ""])
def test_no_verb_touches_a_picture_before_the_question_is_answered(
    sit: Sit, tmp_path: Path, verb: list[str], answer: str
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"no picture")
    (folder / "list.txt").write_text("00" * 32 + "\n")
    shown = sit(f"{answer}\n" if answer else "")
    _touched.clear()
    _watched[:] = [str(folder)]
    try:
        status = cli.main([word.format(folder) for word in verb])
    finally:
        _watched.clear()
    assert age_gate.QUESTION in shown.getvalue()
    if answer == "1":  # the way on is open, so that this test does see what is touched
        assert _touched or verb[0] in ("models", "case")  # these fail earlier: there is no such model or casebook
    else:
        assert _touched == []
        assert status == (1 if answer else cli.INTERRUPTED)
    assert ("takeitdown.ncmec.org" in shown.getvalue()) is (answer in ("2", "3"))


def test_every_verb_that_takes_pictures_is_among_them() -> None:
    """Whoever adds `--age` to another verb adds that verb to VERBS too."""
    found = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("age_gate.arguments(")
        for path in (ROOT / "desktop").rglob("*.py")
    }
    asking = {name: n for name, n in found.items() if n}
    assert asking == {
        "desktop/cli.py": 1,
        "desktop/match_cli.py": 1,
        "desktop/models_cli.py": 1,
        "desktop/case_cli.py": 1,
    }


def test_a_scan_that_is_left_without_an_answer_opens_nothing(
    sit: Sit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sit("")
    monkeypatch.setattr(batch, "Scanner", lambda *_: pytest.fail("something was opened"))
    assert cli.main(["scan", str(tmp_path)]) == cli.INTERRUPTED


@pytest.mark.parametrize(
    ("locale", "typed", "shown"),
    [
        ("en_GB.UTF-8", "", "Report Remove"),
        ("ko_KR@x", "", "d4u.stop.or.kr"),
        ("C.UTF-8", "fr\n", "PHAROS"),
        ("fr", "\n", "--country GB"),
        ("", "Kenya\n", "--country GB"),
    ],
)
def test_the_country_comes_from_the_locale_or_is_asked(
    sit: Sit, monkeypatch: pytest.MonkeyPatch, locale: str, typed: str, shown: str
) -> None:
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.delenv("LANG", raising=False)
    monkeypatch.setenv("LC_ALL", locale)
    terminal = sit(typed)
    age_gate.show_where_to_turn(None)
    assert shown in terminal.getvalue()
    assert ("Which country" in terminal.getvalue()) is bool(typed)


# No way round: what brings a picture into a casebook stands in a function that takes the proof, or takes a NewItem,
# which in its turn is made only in a function that takes the proof.
BRINGS_IN = {"add_item", "add_items", "add_reference", "keep_image", "keep_screenshot"}
PROOFS = {"Adults", "age_gate.Adults"}


def unproven(tree: ast.Module) -> Iterator[str]:
    """What stands outside a function with such a parameter, and every `Adults(...)`."""

    def walk(node: ast.AST, proven: bool, gathered: bool) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            args = node.args
            hints = {
                ast.unparse(a.annotation) for a in (*args.posonlyargs, *args.args, *args.kwonlyargs) if a.annotation
            }
            proven, gathered = proven or bool(hints & PROOFS), gathered or "NewItem" in hints
        name = getattr(node, "attr", getattr(node, "id", ""))
        if name in BRINGS_IN and not proven and not gathered:
            yield f"line {node.lineno}: {name}"  # type: ignore[attr-defined]
        if isinstance(node, ast.keyword) and node.arg == "screenshot" and not proven:
            yield f"line {node.lineno}: a screenshot"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called == "Adults" or (called == "NewItem" and not proven):
                yield f"line {node.lineno}: makes {called}"
        for child in ast.iter_child_nodes(node):
            yield from walk(child, proven, gathered)

    yield from walk(tree, False, False)


def test_nothing_brings_a_picture_into_a_casebook_without_the_proof() -> None:
    uses = 0
    for path in sorted((ROOT / "desktop").rglob("*.py")):
        if path.parent.name == "casebook" or path.name == "age_gate.py":  # the store itself, and the gate
            continue
        source = path.read_text(encoding="utf-8")
        uses += sum(source.count(f"{name}(") for name in BRINGS_IN)
        assert list(unproven(ast.parse(source))) == [], path
    assert uses, "nothing was looked at"


@pytest.mark.parametrize(
    "way_round",
    [
        "def f(book, report):\n    book.add_item(1, report)",
        "def f(book, adults: bool):\n    return lambda: book.add_items(1, [])",
        "def f(book, adults: Adults | None):\n    book.keep_image(1, b'')",
        "import x\nx.add = book.add_reference",
        "def f(new: NewItem):\n    return NewItem(new.report)",
        "def f(book, adults: 'Adults'):\n    book.add_item(1, report)",
        "def f(book):\n    book.add_sighting(1, '', screenshot=b'')",
        "proof = Adults(object())",
        "proof = age_gate.Adults()",
    ],
)
def test_a_way_round_is_noticed(way_round: str) -> None:
    assert list(unproven(ast.parse(way_round)))


def test_the_proof_reaches_into_inner_functions() -> None:
    sound = "def f(book, adults: Adults):\n def g():\n  book.add_item(1, r)\n return lambda: book.add_items(1, [])"
    assert not list(unproven(ast.parse(sound)))


def test_no_setting_turns_it_off() -> None:
    looked = 0
    for name in ("settings.py", "safety/age_gate.py"):
        source = (ROOT / "desktop" / name).read_text(encoding="utf-8")
        looked += len(source)
        if name == "settings.py":
            assert "age_gate" not in source
            assert "adults" not in source.casefold()
        else:
            assert "settings" not in source
    assert looked
