"""The records that go with a letter: the analysis report, and the extract of the custody log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from desktop import words as shown
from desktop.packets.catalogue import Block, Run, Runs, bullets, heading, note, pairs, paragraph, table, value
from desktop.packets.letter_bodies import MOST_PRINTED, Letter, signed_with, utc
from detectors import __version__

if TYPE_CHECKING:
    from desktop.packets.letters import Custody
    from desktop.packets.request import ItemFindings, RequestItem
    from detectors.inference.manifest import ModelEntry

_PERSON = re.compile(r"person (\d+)")
_LIMITS = ("real", "local", "new", "who")


def analysis(letter: Letter, models: Iterable[ModelEntry]) -> list[Block]:
    """What was found in each image that was examined, how often this build is wrong, and what it cannot tell."""
    words = letter.words
    blocks = [paragraph(words.say("analysis.intro", version=value(__version__)))]
    if words.code != "en":
        blocks.append(paragraph(words.say("analysis.findings_language")))
    used: set[tuple[str, str]] = set()
    for number, item in enumerate(letter.request.items[:MOST_PRINTED], 1):
        if item.findings is not None:
            blocks += _item(letter, number, item, item.findings)
            used |= {(m["id"], m["sha256"]) for f in item.findings.findings if (m := f.get("model"))}
    if rates := [line for model in models if (line := _rates(letter, model, used))]:
        blocks += [heading(words.say("analysis.errors")), *rates]
    blocks += [
        heading(words.say("analysis.limits")),
        bullets([words.say(f"analysis.limit_{limit}") for limit in _LIMITS]),
        paragraph(words.say("brief.proof")),
        heading(words.say("analysis.methods")),
        paragraph(words.say("analysis.methods_says")),
    ]
    if letter.signer:
        blocks.append(note(signed_with(letter)))
    return blocks


def _item(letter: Letter, number: int, item: RequestItem, found: ItemFindings) -> list[Block]:
    words = letter.words
    facts: list[tuple[Runs, Runs | list[Block]]] = []
    if item.sha256:
        facts.append((words.say("analysis.sha256"), [value(item.sha256, fixed=True)]))
    if item.media_type:
        facts.append((words.say("analysis.format"), [value(item.media_type)]))
    if item.width and item.height:
        facts.append((words.say("analysis.size"), [value(f"{item.width} × {item.height}")]))
    if found.scanned_at:
        facts.append((words.say("analysis.examined"), [value(f"{utc(found.scanned_at)} UTC")]))
    known = words.has(f"analysis.{found.verdict}") and found.verdict in shown.VERDICTS
    verdict = words.say(f"analysis.{found.verdict}") if known else words.say("analysis.not_examined")
    facts.append((words.say("analysis.verdict"), [_bold(part) for part in verdict]))
    if found.p_synthetic is not None and shown.likelihood(found.verdict, found.p_synthetic):
        facts.append((words.say("analysis.probability"), [value(f"{found.p_synthetic:.2f}")]))
    blocks = [heading(words.say("common.item", number=value(str(number)))), pairs(facts)]
    if found.reasons:
        reasons: list[Runs] = [[value(reason.replace("\n", " "), language="en")] for reason in found.reasons]
        blocks += [heading(words.say("analysis.reasons"), 3), bullets(reasons)]
    if found.findings:
        head = [words.say(f"analysis.column_{name}") for name in ("check", "state", "says", "model")]
        rows = [_finding(letter, finding) for finding in found.findings]
        blocks += [heading(words.say("analysis.findings"), 3), table([32, 24, "rest", 57], head, rows)]
    return blocks


def _finding(letter: Letter, finding: Mapping[str, Any]) -> list[Runs]:
    # Without words taken from the file: a prompt can be abusive.
    says = str(finding.get("details", {}).get("in_short", finding["says"])).replace("\n", " ")
    state = str(finding["state"])
    known = letter.words.has(f"analysis.state_{state}")
    model = finding.get("model")
    return [
        [value(shown.detector(str(finding["detector"])), language="en")],
        letter.words.say(f"analysis.state_{state}") if known else [value(state)],
        [value(says, language="en")],
        [value(str(model["id"])), " ", value(str(model["sha256"]), fixed=True)] if model else [],
    ]


def _bold(part: Run) -> Run:
    return {"v": part, "b": True} if isinstance(part, str) else {**part, "b": True}


def _rates(letter: Letter, model: ModelEntry, used: set[tuple[str, str]]) -> Block | None:
    """The measured error rates of a model that spoke here, as this build has it."""
    if model.bands is None or model.detector is None or (model.id, model.sha256) not in used:
        return None
    bands = model.bands
    share = {"false_positive": (bands.false_positive_rate, bands.n_real), "recall": (bands.recall, bands.n_synthetic)}
    values: dict[str, Run] = {k: value(f"{rate * 100:.1f} % ({count:,})") for k, (rate, count) in share.items()}
    name = value(f"{shown.detector(model.detector)} ({model.id}): ", language="en")
    return paragraph([name, *letter.words.say("analysis.errors_says", **values)])


def custody(letter: Letter, log: Custody) -> list[Block]:
    """The rows of the custody log that concern the request's images, and the head of the log."""
    words = letter.words
    head = [words.say(f"custody.column_{name}") for name in ("row", "time", "who", "action", "subject", "digest")]
    rows: list[list[Runs]] = [
        [
            [value(str(row.seq))],
            [value(row.at)],
            _person(letter, row.who),
            [value(row.action, language="en")],
            [value(row.subject, language="en")],
            [value(row.digest, fixed=True)],
        ]
        for row in log.rows
    ]
    listed = table(["auto", 33, 20, "rest", 22, 57], head, rows) if rows else paragraph(words.say("custody.none"))
    return [
        paragraph(words.say("custody.intro")),
        listed,
        heading(words.say("custody.head")),
        paragraph([value(log.head, fixed=True)]),
        paragraph(words.say("custody.head_says")),
    ]


def _person(letter: Letter, who: str) -> Runs:
    number = _PERSON.fullmatch(who)
    return letter.words.say("custody.person", number=value(number[1])) if number else [value(who)]
