"""The letters of a request as PDF/A-2a and PDF/UA-1: the same request and time give the same bytes everywhere.

Typst sets them from `resources/letters/*.typ` with the fonts of `resources/fonts/` and no others. What a person wrote
goes in as data and is never read as Typst. No letter ever shows an image: who reads a letter is not made to see it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from desktop.packets import letter_bodies as bodies
from desktop.packets import letter_records as records
from desktop.packets.catalogue import LETTERS, Block, Runs, as_text, catalogue, for_typst, runs_text
from desktop.packets.characters import FONTS, visible
from detectors.errors import SetupError

if TYPE_CHECKING:
    import datetime

    from desktop.packets.complete import Assessment
    from desktop.packets.facts import Facts
    from detectors.inference.manifest import ModelEntry

# PDF/A-2a (ISO 19005-2) keeps, and PDF/UA-1 (ISO 14289-1) can be read aloud.
STANDARDS = ("a-2a", "ua-1")
# A letter of so many addresses is set so that it fits its pages well; to measure a longer one takes long.
FEW = 40
# Typst's compiler keeps what it has set before; two threads at once would only wait for each other.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Document:
    """One PDF. `kind`: notice, complaint, report, brief, analysis, custody, authority or sheet; `name` is its file."""

    name: str
    kind: str
    language: str
    title: str
    pdf: bytes


@dataclass(frozen=True, slots=True)
class CustodyRow:
    """One row of the custody log. `at` is a time in UTC, `who` is "person 1" and so on, `digest` is hex SHA-256."""

    seq: int
    at: str
    who: str
    action: str
    subject: str
    digest: str


@dataclass(frozen=True, slots=True)
class Custody:
    """The rows that concern a request, and the short form of the log's head."""

    rows: tuple[CustodyRow, ...]
    head: str


def documents(
    assessment: Assessment,
    facts: Facts,
    *,
    draft: bool,
    custody: Custody | None = None,
    signer: str = "",
    models: Iterable[ModelEntry] | None = None,
    images: Mapping[int, bytes] | None = None,
) -> tuple[Document, ...]:
    """The documents that go into the packet: each in the request's language and in those of `also`.

    `draft` marks every page. `signer` is the fingerprint of the key that signs the packet. `models` are those whose
    error rates the analysis report gives, by default this build's. `images` by number of the item are what the packet
    encloses: the letter says so, and shows none. Raises SetupError when a font, a template or a sentence is missing.
    """
    request = assessment.request
    kinds = _kinds(assessment, custody)
    made = []
    for language in dict.fromkeys((request.language, *request.also)):
        letter = bodies.Letter(
            catalogue(language),
            assessment,
            facts,
            draft,
            signer,
            _enclosures(assessment, kinds),
            bool(images) and request.include.image != "none",
        )
        for kind in kinds:
            if kind == "brief":
                blocks = bodies.brief(letter)
            elif kind == "analysis":
                blocks = records.analysis(letter, _models() if models is None else models)
            elif kind == "custody":
                assert custody is not None  # noqa: S101 - see `_kinds`
                blocks = records.custody(letter, custody)
            elif kind == "authority":
                blocks = bodies.authority(letter)
            else:
                blocks = bodies.main(kind, letter)
            made.append(_document(kind, letter, blocks))
    return tuple(made)


def sheet(assessment: Assessment, facts: Facts, *, draft: bool = False) -> tuple[Document, str]:
    """For the sender alone: where the request goes, what to copy and what to check, as PDF and as plain text.

    `draft` marks every page, and the beginning of the text. Raises SetupError as `documents`.
    """
    from desktop.packets import letter_sheet

    letter = bodies.Letter(catalogue(assessment.request.language), assessment, facts, draft)
    heading: Block = {"k": "h", "l": 1, "r": bodies.title("sheet", letter)}
    marks = [_mark(letter.words.text("common.draft"))] if draft else []
    text = as_text([*marks, heading, *letter_sheet.body(letter, whole=True)], letter.words.colon)
    return _document("sheet", letter, letter_sheet.body(letter, whole=False)), text


def letter_text(letter: bodies.Letter) -> str:
    """The notice, complaint or report as plain text, for e-mails and forms."""
    kind = bodies.letter_kind(letter.assessment)
    heading: Block = {"k": "h", "l": 1, "r": bodies.title(kind, letter)}
    return as_text([heading, *bodies.main(kind, letter)], letter.words.colon)


def _kinds(assessment: Assessment, custody: Custody | None) -> tuple[str, ...]:
    request, include = assessment.request, assessment.request.include
    kinds = [bodies.letter_kind(assessment)]
    if include.brief and assessment.platform.kind in ("police", "court", "regulator"):
        kinds.append("brief")
    if include.findings and any(item.findings is not None for item in request.items):
        kinds.append("analysis")
    if include.custody and custody is not None:
        kinds.append("custody")
    if include.authority_letter and request.sender.role == "agent":
        kinds.append("authority")
    return tuple(kinds)


def _enclosures(assessment: Assessment, kinds: tuple[str, ...]) -> tuple[str, ...]:
    hashes = ("hashes",) if assessment.request.include.hashes and assessment.platform.kind == "hash_programme" else ()
    return (*kinds[1:], "request", *hashes, "verify")


def _models() -> tuple[ModelEntry, ...]:
    from detectors.inference.manifest import manifest

    return tuple(manifest().values())


def _document(kind: str, letter: bodies.Letter, blocks: list[Block]) -> Document:
    words = letter.words
    named = bodies.title(kind, letter)
    title = runs_text(named)
    mark = words.text("common.draft") if letter.draft else ""
    data: dict[str, Any] = {
        "language": words.code,
        "direction": words.direction,
        "title": f"{mark} {title}" if mark else title,
        "head": [title],
        "heading": named,
        "date": letter.request.created_at.date().isoformat() if letter.request.created_at else "",
        "page": words.text("common.page"),
        "blocks": [{"k": "frame", "blocks": [_mark(mark)]}, *blocks] if mark else blocks,
    }
    if mark:
        data["draft"] = mark
    if len(letter.request.sightings) <= FEW:
        data["fit"] = True
    if kind in ("notice", "complaint", "report"):
        data["to"], data["from"] = bodies.recipient(letter), bodies.sender(letter)
    template = {"brief": "brief", "analysis": "record", "custody": "record", "sheet": "record"}.get(kind, "letter")
    pdf = _compile(f"{template}.typ", for_typst(data, words.direction), bodies.moment(letter.request))
    return Document(f"{kind}.{words.code}.pdf", kind, words.code, visible(title), pdf)


def _mark(mark: str) -> Block:
    runs: Runs = [{"v": mark, "b": True}]
    return {"k": "p", "r": runs, "own": True}


def _compile(template: str, data: Any, at: datetime.datetime) -> bytes:
    """One PDF. Raises SetupError when Typst, a font or a template is missing: nothing that is in `data` can do that."""
    import typst

    with _ONE_AT_A_TIME:
        try:
            compiler = typst.Compiler(
                str(LETTERS / template),
                root=str(LETTERS),
                font_paths=_fonts(),
                ignore_system_fonts=True,
                sys_inputs={"data": json.dumps(data, ensure_ascii=False, separators=(",", ":"))},
            )
            pdf = compiler.compile(format="pdf", pdf_standards=list(STANDARDS), timestamp=at)  # type: ignore[arg-type]
        except (RuntimeError, OSError) as e:
            raise SetupError(
                "letter_failed", "A letter could not be set.", "Install Counterproof again. Your request is not lost."
            ) from e
    if not isinstance(pdf, bytes):
        raise SetupError("letter_failed", "A letter could not be set.", "Install Counterproof again.")
    return pdf


@cache
def _fonts() -> Any:
    """The fonts, read once in a process."""
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
