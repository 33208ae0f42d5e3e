"""`counterproof case` as a person meets it: prompts at a real terminal, a real casebook, real checks. Few and quick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DEMO
from tests.e2e.terminal import Terminal

COUNTERPROOF = [sys.executable, "-m", "desktop"]
WORDS = "lantern gravel otter midnight"
PICTURE = str(DEMO / "05-with-web-ui-settings.png")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudoterminals are of Unix")


def at_terminal(*words: str | Path) -> Terminal:
    return Terminal([*COUNTERPROOF, *map(str, words)])


def piped(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Without a terminal, also without /dev/tty."""
    command = [*COUNTERPROOF, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True, timeout=120
    )


def test_from_a_new_casebook_to_an_item_in_it(tmp_path: Path) -> None:
    case, secret = tmp_path / "my.case", tmp_path / "secret"
    with at_terminal("case", "new", case) as terminal:
        for question, answer in (
            ("New passphrase: ", "short"),
            ("New passphrase: ", WORDS),
            ("The same again: ", WORDS),
            ("in a few words? ", "Fakes of me"),
            ("Who is depicted? ", ""),
            ("want to happen? ", "They must go"),
        ):
            terminal.until(question)
            terminal.types(answer)
        assert terminal.ended() == 0
    assert "recovery code" in terminal.shown
    assert WORDS not in terminal.shown, "what is typed is not shown"
    assert case.stat().st_mode & 0o077 == 0

    with at_terminal("case", "add", case, PICTURE, "--url", "https://example.org/1", "--profile", "fast") as terminal:
        for question, answer in (
            ("(1, 2 or 3): ", "yes"),
            ("(1, 2 or 3): ", "1"),
            ("Passphrase: ", "not this one"),
            ("Passphrase: ", WORDS),
        ):
            terminal.until(question)
            terminal.types(answer)
        assert terminal.ended() == 0
    assert "Says it is synthetic" in terminal.shown

    secret.write_text(WORDS)
    secret.chmod(0o600)
    listed = piped("case", "list", case, "--json", "--passphrase-file", secret)
    (item,) = json.loads(listed.stdout)["items"]
    assert (item["label"], item["sightings"], item["has_image"]) == (Path(PICTURE).name, 1, False)
    assert listed.stderr == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my.case", "secret"], "nothing lies beside the casebook"
    used = [p for p in Path.home().rglob("*") if p.is_file()]
    assert used == [], "a case leaves nothing in caches and settings"


def test_without_a_terminal_nothing_is_asked_and_nothing_is_opened(tmp_path: Path) -> None:
    case = tmp_path / "my.case"
    new = piped("case", "new", case)
    assert (new.returncode, new.stdout) == (1, "")
    assert "--passphrase-file" in new.stderr
    assert not case.exists()
    add = piped("case", "add", case, PICTURE)
    assert (add.returncode, add.stdout) == (1, "")
    assert "--age" in add.stderr


def test_a_scan_at_a_terminal_asks_first_and_opens_nothing_where_someone_may_be_under_18() -> None:
    with at_terminal("scan", PICTURE) as terminal:
        terminal.until("(1, 2 or 3): ")
        terminal.types("3")
        assert terminal.ended() == 1
    assert "takeitdown.ncmec.org" in terminal.shown
    assert Path(PICTURE).name not in terminal.shown
    with at_terminal("scan", PICTURE) as terminal:
        terminal.until("(1, 2 or 3): ")
        terminal.types("\x03")
        assert terminal.ended() == 130
    assert Path(PICTURE).name not in terminal.shown
    with at_terminal("scan", PICTURE, "--age", "adults", "--profile", "fast") as terminal:
        assert terminal.ended() == 0
    assert "under 18" not in terminal.shown
    assert "Says it is synthetic" in terminal.shown
