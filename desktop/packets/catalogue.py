"""The sentences of the letters, and the blocks of which a letter is made: for the page, and as plain text.

A letter is a list of blocks: headings, paragraphs, lists, pairs, tables. A paragraph is a list of runs: a `str` is a
sentence of ours in the letter's language, a mapping is a value from elsewhere (`v`). Values are data at every step:
`for_typst` makes each character visible, says in which direction it runs, and where a long word may be broken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from desktop.packets import characters
from desktop.packets.request import LANGUAGES
from detectors.errors import SetupError

LETTERS = Path(__file__).resolve().parents[2] / "resources" / "letters"

Run = str | Mapping[str, Any]
Runs = list[Run]
Block = dict[str, Any]

_SLOT = re.compile(r"\{([a-z_]+)\}")
# Words longer than this get places where a line may end: after a mark in an address, and every few letters in the rest.
_WORD = 18
_WORDS = re.compile(r"\S+|\s+")
_CHUNK = re.compile(r"[^/?&=#._~:;,%+@-]{0,16}[/?&=#._~:;,%+@-]{0,16}")
# Arabic vowel signs are optional, and a PDF reader takes the letter below one twice: our sentences do without them.
_VOWEL_SIGNS = re.compile("[\u064b-\u0652\u0670]")
# A long word in another script is left whole up to here: its letters can be joined.
_FOREIGN = 40


@dataclass(frozen=True)
class Catalogue:
    """The sentences of one language. `direction` is ltr or rtl; `reviewed`: a native speaker has read them."""

    code: str
    direction: str
    reviewed: bool
    texts: Mapping[str, Mapping[str, str]]

    def text(self, key: str) -> str:
        """The sentence `section.name`, with its slots as they stand. Raises KeyError: a test looks for each key."""
        section, _, name = key.partition(".")
        return self.texts[section][name]

    def say(self, key: str, **values: Run) -> Runs:
        """The sentence with its slots filled; a plain `str` stands for a value from elsewhere."""
        parts = _SLOT.split(self.text(key))
        filled: Runs = []
        for number, part in enumerate(parts):
            if number % 2 == 0:
                filled += [part] if part else []
            else:
                given = values[part]
                filled.append(value(given) if isinstance(given, str) else given)
        return filled

    @property
    def colon(self) -> str:
        """What stands between a label and its value: in French with a space before it that does not break."""
        return "\u00a0: " if self.code == "fr" else ": "

    @property
    def comma(self) -> str:
        """What stands between two values."""
        return "، " if self.direction == "rtl" else ", "

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        section, _, name = key.partition(".")
        return name in self.texts.get(section, {})


@cache
def catalogue(language: str) -> Catalogue:
    """The sentences of `resources/letters/text/LANGUAGE.toml`. Raises SetupError when they are missing or damaged."""
    import tomllib

    path = LETTERS / "text" / f"{language}.toml"
    try:
        if language not in LANGUAGES:
            raise ValueError(f"there are no letters in {language!r}")
        found = tomllib.loads(path.read_bytes().decode("utf-8"))
        about = found.pop("language")
        texts = {s: {key: _VOWEL_SIGNS.sub("", text) for key, text in part.items()} for s, part in found.items()}
        return Catalogue(language, str(about["direction"]), bool(about["reviewed"]), texts)
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SetupError(
            "letters_damaged",
            f"The sentences of the letters in the language “{language}” are missing or damaged.",
            "Install Counterproof again, or choose another language.",
        ) from e


# --- Runs and blocks.


def value(text: str, *, fixed: bool = False, language: str = "", quiet: bool = False) -> Run:
    """A value from elsewhere, on one line. `fixed`: set in a fixed width, as addresses and fingerprints are."""
    run: dict[str, Any] = {"v": text}
    if fixed:
        run["m"] = True
    if language:
        run["l"] = language
    if quiet:
        run["g"] = True
    return run


def heading(runs: Runs, level: int = 2) -> Block:
    """A heading; the letter's title alone is of level 1."""
    return {"k": "h", "l": level, "r": runs}


def paragraph(runs: Runs) -> Block:
    """A paragraph of our sentences."""
    return {"k": "p", "r": runs}


def note(runs: Runs, sticky: bool = False) -> Block:
    """A paragraph in small type. `sticky`: it stays with what comes after it."""
    return {"k": "note", "r": runs, "sticky": sticky}


def own_words(text: str) -> list[Block]:
    """A text that a person wrote: its lines as paragraphs, each in the direction of its first letter."""
    lines = [line.replace("\t", " ").strip() for line in text.split("\n")]
    return [{"k": "p", "r": [value(line)], "own": True} for line in lines if line]


def bullets(items: Iterable[Runs | list[Block]], kind: str = "list") -> Block:
    """A list: each item is one paragraph, or blocks. `kind`: list, steps (numbered) or ticks (boxes to tick)."""
    return {"k": kind, "items": [_blocks(item) for item in items]}


def pairs(items: Iterable[tuple[Runs, Runs | list[Block]]], width: int = 42) -> Block:
    """Labels (a column of `width` millimetres) with what belongs to each."""
    return {"k": "pairs", "w": width, "items": [(label, _blocks(content)) for label, content in items]}


def table(widths: Sequence[int | str], head: Sequence[Runs], rows: Iterable[Sequence[Runs]]) -> Block:
    """A table with a head that is repeated on each page. Widths are in millimetres, `auto`, or `rest`."""
    return {"k": "table", "w": list(widths), "head": list(head), "rows": [[_blocks(c) for c in row] for row in rows]}


def copyable(text: str) -> Block:
    """A text to copy, line by line as it stands, in a frame."""
    lines = [{"k": "p", "r": [value(line)], "own": True} for line in text.replace("\t", " ").split("\n")]
    return {"k": "copy", "lines": lines}


def _blocks(content: Runs | list[Block]) -> list[Block]:
    if content and isinstance(content[0], dict) and "k" in content[0]:
        return content  # type: ignore[return-value]
    return [paragraph(content)]  # type: ignore[arg-type]


# --- Blocks as Typst gets them, and as plain text.


def for_typst(content: Any, direction: str) -> Any:
    """Blocks or runs as JSON for the templates, for a letter that runs in `direction` (ltr or rtl)."""
    if isinstance(content, str):
        return characters.visible(content)
    if isinstance(content, list | tuple):
        return [for_typst(part, direction) for part in content]
    if not isinstance(content, dict):
        return content
    if "v" in content:
        return _run(content, direction)
    made = {
        key: part if key in ("k", "w", "sticky", "near", "whole") else for_typst(part, direction)
        for key, part in content.items()
    }
    if made.pop("own", False):
        # One value alone: the whole paragraph takes its direction, so it needs no box.
        for run in made["r"]:
            run.pop("d", None)
        own = _direction("".join(str(r["v"]) for r in content["r"]))
        if own != direction:
            made["d"] = own
            # A person's own paragraph stands on its own side; a short sentence stays where it would be.
            made["a"] = direction if made.get("near") else own
    made.pop("near", None)
    return made


def _run(run: Mapping[str, Any], direction: str) -> Mapping[str, Any]:
    made = dict(run)
    made["v"] = _pieces(characters.visible(run["v"]))
    # What runs the other way, or has parts that do, is laid out by itself, so that it cannot reorder the sentence.
    own = _direction(run["v"])
    if own != direction or (direction == "ltr" and characters.mixed(run["v"])):
        made["d"] = own
    return made


def _direction(text: str) -> str:
    return "rtl" if characters.right_to_left(text) else "ltr"


def _pieces(text: str) -> str | list[str]:
    """The text, cut where a line may end in a long word; put together again it is the same text."""
    if len(text) <= _WORD:
        return text
    found = [""]
    for word in _WORDS.findall(text):
        chunks = _chunks(word)
        found[-1] += chunks[0]
        found += chunks[1:]
    return found[0] if len(found) == 1 else found


def _chunks(word: str) -> list[str]:
    if len(word) <= (_WORD if word.isascii() else _FOREIGN):
        return [word]
    chunks: list[str] = []
    for chunk in filter(None, _CHUNK.findall(word)):
        # Never before a mark, nor after a joiner or a sign that joins: the letter would fall apart.
        if chunks and (
            unicodedata.category(chunk[0])[0] == "M" or unicodedata.category(chunks[-1][-1]) in ("Mn", "Cf")
        ):
            chunks[-1] += chunk
        else:
            chunks.append(chunk)
    return chunks


def as_text(content: Any, colon: str = ": ") -> str:
    """Blocks as plain text: an empty line between them, two spaces before what belongs to a list.

    `colon` stands between a label and its value.
    """
    return "\n\n".join(filter(None, (_text(block, colon) for block in content))) + "\n"


def runs_text(runs: Iterable[Run]) -> str:
    """Runs as one line of plain text."""
    return "".join(characters.plain(r if isinstance(r, str) else r["v"]) for r in runs)


def _text(block: Mapping[str, Any], colon: str) -> str:
    kind = block["k"]
    if kind == "h":
        line = {1: "=", 2: "-"}.get(block["l"], "")
        title = runs_text(block["r"])
        return f"{title}\n{line * min(len(title), 72)}".rstrip()
    if kind in ("p", "note"):
        return runs_text(block["r"])
    if kind in ("list", "steps", "ticks"):
        marks = [f"{n}." for n in range(1, len(block["items"]) + 1)] if kind == "steps" else []
        marks = marks or ["[ ]" if kind == "ticks" else "-"] * len(block["items"])
        return "\n".join(f"{mark} {_inside(item, colon)}" for mark, item in zip(marks, block["items"], strict=True))
    if kind == "pairs":
        return "\n".join(f"{runs_text(label)}{colon}{_inside(content, colon)}" for label, content in block["items"])
    if kind == "table":
        head = [runs_text(cell) for cell in block["head"]]
        rows = ([_inside(cell, colon) for cell in row] for row in block["rows"])
        return "\n".join("; ".join(f"{h}{colon}{c}" for h, c in zip(head, row, strict=True) if c) for row in rows)
    if kind == "copy":
        return "\n".join(runs_text(line["r"]) for line in block["lines"])
    if kind in ("frame", "foot"):
        return as_text(block["blocks"], colon).strip()
    if kind == "sign":
        return f"{runs_text(block['r'])}{colon}____________________"
    return ""


def _inside(blocks: Iterable[Mapping[str, Any]], colon: str) -> str:
    return "\n  ".join(filter(None, (_text(b, colon).replace("\n", "\n  ") for b in blocks)))
