"""The `case` verb: a casebook in the terminal. Made, opened, added to, looked at, checked, copied and handed over."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop import case_show, words
from desktop.cli import DONE, INTERRUPTED, SOME_NOT, jobs
from desktop.safety import age_gate, passphrase
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    import argparse

    from desktop.casebook.casebook import Casebook
    from desktop.casebook.records import Incident, PacketForm, Request
    from desktop.packets.deadlines import Due
    from desktop.packets.tracking import NextStep

SCHEMA = "counterproof.case/1"
_HEAD = re.compile(r"\d+(-[0-9A-Za-z]{4}){4}")

_EPILOG = """\
A casebook is one encrypted file. It holds fingerprints, findings, addresses and notes; an image itself only with
--keep-image. Nothing of it is written anywhere else, unless you export it.

examples:
  counterproof case new my.case
  counterproof case add my.case screenshot.png --url https://… --platform X --handle @… --seen-at "2026-11-24 18:30"
  counterproof case sighting my.case https://… --item 1
  counterproof case request my.case --to X --item 1 --sent-at now --due 48h --reference 12345
  counterproof case open my.case                     what there is, and whose answer is due
  counterproof case backup my.case /media/stick/my.case

The passphrase is asked for, or read with --passphrase-file FILE or --passphrase-fd N. It is never an argument, because
other programs can read those. Longer texts can be left out and are then read from standard input, for the same reason.
Times without an offset are in the time zone of --time-zone, or of this computer.

exit status: 0 done, 1 not done, done only in part, or the casebook is not as it was left (the reason is on standard
error or in the answer), 2 the command was not understood, 130 stopped with Ctrl-C (what was done is kept)"""

_CODE_ADVICE = (
    "This is the recovery code. It opens the casebook without the passphrase, should you ever forget it. It is shown "
    "now and never again, and nobody can give it to you later.",
    "Write it on paper and keep that away from this computer. Whoever has the code and the file can read everything. "
    "If both the passphrase and the code are lost, what is in the casebook is lost too.",
)


def arguments(case: argparse.ArgumentParser) -> None:
    """Fill the verb's parser with its own verbs."""
    import argparse

    case.description = "An encrypted casebook: what was found, where it was seen, whom you asked to take it down."
    case.epilog = _EPILOG
    case.formatter_class = argparse.RawDescriptionHelpFormatter

    class Mixed(argparse.ArgumentParser):
        """Takes options between the positional arguments, which argparse alone does not where one may be left out."""

        mixing = False

        def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
            if self.mixing:
                return super().parse_known_args(args, namespace)
            self.mixing = True  # the next line calls this method
            return self.parse_known_intermixed_args(args, namespace)

    kinds = case.add_subparsers(dest="case_verb", metavar="VERB", required=True, parser_class=Mixed)

    def verb(name: str, says: str, *, incident: bool = False, new_passphrase: bool = False) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = kinds.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        parser.add_argument("file", metavar="FILE", help="the casebook")
        if incident:
            parser.add_argument("--incident", type=int, metavar="N", help="which incident, where there are several")
        if name != "new":
            parser.add_argument(
                "--recovery-code", action="store_true", help="open with the recovery code instead of the passphrase"
            )
        passphrase.arguments(parser)
        if new_passphrase:
            passphrase.arguments(parser, new=True)
        parser.add_argument("--as", dest="actor", metavar="NAME", help="who is at work, for the custody log")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        return parser

    _incident_arguments(verb("new", "make a casebook, and show its recovery code once"))
    verb("open", "check a casebook, and show what is in it and what is due")
    verb("list", "list the items", incident=True)
    _add_arguments(verb("add", "check pictures and record what was found", incident=True))
    show = verb("show", "show an item with all that happened around it")
    show.add_argument("item", type=int, metavar="ITEM", help="its number, as list shows it")
    show.add_argument("--save-image", metavar="TO", help="write the image, if it is kept, to a new file, in clear")
    _fingerprints_argument(show)
    note = verb("note", "write a note, on an item or on the incident", incident=True)
    note.add_argument("text", nargs="?", metavar="TEXT", help="left out, it is read from standard input")
    about = note.add_mutually_exclusive_group()
    for name in ("item", "sighting", "request"):
        about.add_argument(f"--{name}", type=int, metavar="N", help=f"the {name} that it is about")
    about.add_argument("--describe", type=int, metavar="N", help="let it be the description in words of item N")
    sighting = verb("sighting", "record where something was seen, or list the sightings", incident=True)
    sighting.add_argument("url", nargs="?", metavar="URL", help="left out, the sightings are listed")
    sighting.add_argument("--item", type=int, metavar="N", help="the item that was seen there")
    sighting.add_argument(
        "--maybe-minor", action="store_true", help="someone may be under 18: record this text, and nothing else"
    )
    _seen_arguments(sighting)
    _request_arguments(verb("request", "record a request, change one, or list them", incident=True))
    answer = verb("answer", "record an answer to a request")
    answer.add_argument("request", type=int, metavar="REQUEST")
    answer.add_argument("outcome", metavar="OUTCOME", help="in a word or two, such as removed")
    answer.add_argument("text", nargs="?", default="", metavar="TEXT", help="what they wrote")
    answer.add_argument("--at", default="", metavar="TIME", help="when (now)")
    answer.add_argument("--state", default="answered", choices=_STATES, help="where the request stands now (answered)")
    delete = verb("delete", "delete an item or a sighting completely; only the fact of deletion stays in the log")
    delete.add_argument("item", nargs="?", type=int, metavar="ITEM")
    delete.add_argument("--sighting", type=int, metavar="N", help="a sighting instead of an item")
    delete.add_argument(
        "--maybe-minor", action="store_true", help="someone may be under 18: keep only where it was seen"
    )
    delete.add_argument("--yes", action="store_true", help="do not ask")
    incident = verb("incident", "change an incident, begin another one, or list them", incident=True)
    incident.add_argument("--new", action="store_true", help="begin another one")
    _incident_arguments(incident)
    consent = verb("consent", "record who may act for the depicted person, or list that", incident=True)
    consent.add_argument("who", nargs="?", metavar="WHO", help="left out, all are listed")
    for name, says in (
        ("role", "such as lawyer, or campaign staff"),
        ("authority", "the written authority: what, of when, where it lies"),
        ("scope", "for what"),
        ("given-at", "when (now)"),
    ):
        consent.add_argument(f"--{name}", default="", metavar=_metavar(name), help=says)
    consent.add_argument("--withdraw", type=int, metavar="N", help="consent N no longer holds")
    contact = verb("contact", "record someone who helps or decides, or list them", incident=True)
    contact.add_argument("name", nargs="?", metavar="NAME", help="left out, all are listed")
    contact.add_argument("--update", type=int, metavar="N", help="change contact N instead, in what is given")
    for name, says in (("role", "what they do"), ("address", "how they are reached"), ("note", "anything else")):
        contact.add_argument(f"--{name}", metavar=_metavar(name), help=says)
    groups = verb("groups", "show which items are copies of each other", incident=True)
    for name, says in (("not-a-match", "remember that these two are not"), ("a-match", "forget that again")):
        groups.add_argument(f"--{name}", nargs=2, type=int, metavar="ITEM", help=says)
    log = verb("log", "show the custody log: who did what, and when")
    log.add_argument("--after", type=int, default=0, metavar="N", help="only the rows after number N")
    _fingerprints_argument(log)
    verify = verb("verify", "check every page, every record and the custody log")
    verify.add_argument(
        "--head", metavar="HEAD", help="also check that the log still holds what this head was printed for"
    )
    export = verb("export", "write everything but images as a JSON file, which is not encrypted", incident=True)
    export.add_argument("to", metavar="TO", help="a new file")
    backup = verb("backup", "write a whole and checked copy, encrypted like the original")
    backup.add_argument("to", metavar="TO", help="a new file, best on another disk")
    verb("compact", "write the file anew without the space that deleted records took")
    verb("passphrase", "change the passphrase; the recovery code changes too", new_passphrase=True)


_STATES = ("draft", "sent", "acknowledged", "answered", "refused", "withdrawn", "done")


def _metavar(name: str) -> str:
    return "TIME" if name.endswith("-at") else "TEXT"


def _fingerprints_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fingerprints",
        action="store_true",
        help="show fingerprints too, from which a picture can be partly guessed; --json always holds them",
    )


def _incident_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--title", metavar="TEXT", help="what this is about, in a few words")
    parser.add_argument("--depicted", metavar="TEXT", help="who is depicted, in her own words")
    parser.add_argument("--wanted", metavar="TEXT", help="what is wanted")
    parser.add_argument("--country", type=age_gate.country, metavar="XX", help="her country, such as GB")


def _seen_arguments(parser: argparse.ArgumentParser) -> None:
    for name, says in (
        ("platform", "where, such as Telegram"),
        ("handle", "by which account"),
        ("seen-at", "when it was seen (now)"),
        ("time-zone", "of the times given here, such as Europe/London (this computer’s)"),
        ("how", "how it was captured, such as screenshot"),
        ("by", "who saw it (you)"),
        ("note", "anything else about the sighting"),
    ):
        parser.add_argument(f"--{name}", default="", metavar=_metavar(name), help=says)


def _add_arguments(add: argparse.ArgumentParser) -> None:
    add.add_argument("paths", nargs="*", metavar="PATH", help="files, folders or patterns; - reads a list of files")
    age_gate.arguments(add)
    add.add_argument("--url", default="", metavar="URL", help="where it was seen")
    _seen_arguments(add)
    add.add_argument(
        "--sightings",
        metavar="CSV",
        help="add the files of a table, each with where it was seen: a header with file, url, platform, handle, "
        "seen_at, how, by, note; files are given from the table’s own folder, and the options below fill what is empty",
    )
    add.add_argument(
        "--label", default="", metavar="TEXT", help="what to call it (the file’s name, without its folder)"
    )
    add.add_argument("--description", default="", metavar="TEXT", help="in words, so that nobody needs to look again")
    add.add_argument("--keep-image", action="store_true", help="keep the image itself too, encrypted like all else")
    add.add_argument(
        "--references",
        action="append",
        default=[],
        metavar="DIR",
        help="her own public photos: look for the one that a picture was made from, and remember them in the casebook",
    )
    add.add_argument("--profile", choices=("auto", "fast", "thorough", "cascade"), help="as for scan")
    add.add_argument("--jobs", type=jobs, metavar="N", help="as for scan")


def _request_arguments(request: argparse.ArgumentParser) -> None:
    request.add_argument("--to", metavar="WHOM", help="whom you ask; without it and --update, the requests are listed")
    request.add_argument("--update", type=int, metavar="N", help="change request N instead")
    for name in ("item", "sighting"):
        request.add_argument(
            f"--{name}",
            type=int,
            action="append",
            default=[],
            metavar="N",
            help=f"{name} N is asked about (repeat it); with --update, these and no others",
        )
    request.add_argument("--basis", metavar="TEXT", help="the legal basis")
    request.add_argument("--channel", metavar="TEXT", help="by what channel, such as their form or e-mail")
    request.add_argument("--sent-at", metavar="TIME", help="when it was sent, or now")
    request.add_argument(
        "--due",
        metavar="TIME",
        help="when an answer is due; 48h or 7d counts from when it was sent (by the law’s own clock, where the request "
        "was made here)",
    )
    request.add_argument("--reference", metavar="TEXT", help="their number for it")
    request.add_argument("--state", choices=_STATES, help="where it stands (draft, or sent once --sent-at is given)")
    request.add_argument("--time-zone", default="", metavar="TEXT", help="of the times given here (this computer’s)")


def run(args: argparse.Namespace) -> int:
    """Run one of the verbs and return the exit status."""
    work: dict[str, Callable[[Casebook, argparse.Namespace], int | None]] = {
        "open": _open,
        "list": _list,
        "add": _add,
        "show": _show,
        "note": _note,
        "sighting": _sighting,
        "request": _request,
        "answer": _answer,
        "delete": _delete,
        "incident": _incident,
        "consent": _consent,
        "contact": _contact,
        "groups": _groups,
        "log": _log,
        "verify": _verify,
        "export": _export,
        "backup": _backup,
        "compact": _compact,
        "passphrase": _passphrase,
    }
    try:
        if args.case_verb == "new":
            return _new(args)
        if args.case_verb == "add" and not _all_adults(args):
            return SOME_NOT
        with opened(args) as book:
            for notice in book.notices:
                _tell(notice)
            return work[args.case_verb](book, args) or DONE
    except CounterproofError as e:
        _tell(f"{words.visible(e.message)} {words.visible(e.remedy)}")
        return SOME_NOT
    except KeyboardInterrupt:
        _tell("Stopped.")
        return INTERRUPTED


def _at_work(args: argparse.Namespace) -> str:
    """Who is at work: as given, or the account on this computer."""
    if args.actor:
        return str(args.actor)
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name
        return "unknown"


def opened(args: argparse.Namespace) -> Casebook:
    """The casebook, opened. Raises CounterproofError."""
    from desktop.casebook.casebook import Casebook

    path, actor = Path(args.file), _at_work(args)
    Casebook.look(path)
    name = "Recovery code" if args.recovery_code else "Passphrase"
    open_it: Callable[[Path, str, str], Casebook] = Casebook.open_with_code if args.recovery_code else Casebook.open
    typed = args.passphrase_fd is None and args.passphrase_file is None
    for tries_left in (2, 1, 0) if typed else (0,):
        try:
            book = open_it(path, passphrase.read(args, name), actor)
        except CounterproofError as e:
            if e.code not in ("wrong_passphrase", "wrong_recovery_code") or not tries_left:
                raise
            _tell(f"{e.message} {e.remedy}")
            if not args.recovery_code:
                _tell("To use the code: press Ctrl-C, then give the same command with --recovery-code.")
        else:
            if typed and args.recovery_code and args.case_verb != "passphrase":
                name = words.visible(args.file)
                _tell(f"To choose a new passphrase: counterproof case passphrase {name} --recovery-code")
            return book
    raise AssertionError("the last try returns or raises")


# The file


def _new(args: argparse.Namespace) -> int:
    from desktop.casebook.casebook import Casebook

    path = Path(args.file)
    if path.exists():  # before anything is asked; `create` looks again
        raise CounterproofError(
            "casebook_exists",
            f"{words.visible(args.file)} is there already, and stays as it is.",
            "Choose another name.",
        )
    chosen = passphrase.choose(args.passphrase_fd, args.passphrase_file)
    title, depicted, wanted, country = _asked_about(args)
    book, code = Casebook.create(path, chosen, _at_work(args))
    with book:
        try:
            incident = book.add_incident(title, depicted=depicted, wanted=wanted, country=country)
        except BaseException:  # the casebook is there, and this code is shown now or never
            _show_code(code, args)
            raise
    _show_code(code, args, {"incident": asdict(incident)})
    if not args.json:
        name = words.visible(args.file)
        _say(f"The casebook {name} is made. To add pictures: counterproof case add {name} PATH…")
        _say("To see who helps, in your country and everywhere: counterproof helplines")
    return DONE


def _asked_about(args: argparse.Namespace) -> tuple[str, str, str, str]:
    """Title, who is depicted, what is wanted, country: as given, or asked at a terminal (Enter leaves it empty)."""
    answers = [args.title, args.depicted, args.wanted]
    asked = age_gate.at_terminal() and not args.json and answers == [None, None, None]
    if asked:
        _tell("Three questions, in your own words. Each can be left empty with Enter, and answered later.")
        for n, question in enumerate(
            ("What is this about, in a few words?", "Who is depicted?", "What do you want to happen?")
        ):
            answers[n] = _asked(f"{question} ")
    title, depicted, wanted = (answer or "" for answer in answers)
    return title or f"Begun on {case_show.local(case_show.now())[:10]}", depicted, wanted, args.country or ""


def _show_code(code: str, args: argparse.Namespace, more: dict[str, Any] | None = None) -> None:
    """Show a recovery code once: at the terminal if there is one, else on standard output."""
    if sys.stderr.isatty():
        _tell("")
        _tell(_CODE_ADVICE[0])
        sys.stderr.write(f"\n    {code}\n\n")
        _tell(_CODE_ADVICE[1])
        _tell("")
        if args.json:
            _json(more or {})
    elif args.json:
        _json({"recovery_code": code, **(more or {})})
    else:
        _say(f"Recovery code: {code}")
        for text in _CODE_ADVICE:
            _say(text)


def _passphrase(book: Casebook, args: argparse.Namespace) -> None:
    chosen = passphrase.choose(args.new_passphrase_fd, args.new_passphrase_file)
    _show_code(book.change_passphrase(chosen), args)
    if not args.json:
        _say("The passphrase is changed. The old one and the old recovery code no longer open this file.")
        _say("They still open backups and copies that were made before: delete those, or make new ones.")
        _tell_of_set_aside(book)


def _tell_of_set_aside(book: Casebook) -> None:
    for name in book.set_aside():
        _tell(
            f"{words.visible(name)} beside the casebook holds changes of before. Delete it too if you do not need it."
        )


def _open(book: Casebook, args: argparse.Namespace) -> int:
    found = book.verify()
    incidents, due = book.incidents(), _due(book)
    if args.json:
        rows = [{**asdict(i), "overview": asdict(book.overview(i.id))} for i in incidents]
        waiting = [
            {
                **asdict(request),
                "limit": None if limit is None else {**asdict(limit), "at": limit.at.isoformat()},
                "next_steps": [asdict(step) for step in steps],
            }
            for request, limit, steps in due
        ]
        return _json({"incidents": rows, "due": waiting, "verification": asdict(found)}, found.ok)
    for incident in incidents:
        _lines(case_show.incident_lines(incident, book.overview(incident.id)))
    _say("")
    if due:
        _lines(case_show.due_lines(due))
    else:
        _say("No answer is due.")
    return _verified(found)


def _due(book: Casebook) -> list[tuple[Request, Due | None, tuple[NextStep, ...]]]:
    """What waits for an answer and until when, by whose clock, and what can be done about it."""
    waiting = book.due()
    if not waiting:
        return []
    from datetime import datetime

    from desktop.packets import facts, tracking

    known, at = facts.load(), datetime.now().astimezone()
    requests, sightings = book.requests(), book.sightings()
    begun: dict[int, set[str]] = {}
    for form in book.packet_forms():
        begun.setdefault(form.follows or 0, set()).add(form.platform)
    out = []
    for request in waiting:
        law, platform, channel = tracking.way_of(book, request.id, known)
        limit = tracking.due_of(request, law, platform, channel)
        steps = tracking.next_steps(
            *(request, law, platform, limit, at, known),
            answers=book.answers(request.id),
            seen_again=tracking.seen_again(request, sightings, requests),
            begun=begun.get(request.id, ()),
        )
        out.append((request, limit, steps))
    return out


def _verify(book: Casebook, args: argparse.Namespace) -> int:
    if args.head is not None and not _HEAD.fullmatch(args.head.strip()):
        raise CounterproofError(
            "not_a_head",
            f"“{words.visible(args.head)}” is not the head of a log, so nothing was checked.",
            "Copy it from the packet: a number, then four groups of four letters and digits, with hyphens.",
        )
    found = book.verify(args.head)
    return _json({"verification": asdict(found)}, found.ok) if args.json else _verified(found, args.head)


def _verified(found: Any, printed: str | None = None) -> int:
    """What was checked, with the head that was `printed` on a packet, and what is wrong; the exit status."""
    if not found.ok:
        _say("THIS CASEBOOK IS NOT AS IT WAS LEFT.")
    for problem in found.problems:
        _say(f"  - {problem}")
    if not found.ok and printed is not None:
        _say("Compare the head with the packet first, letter by letter: a slip of the hand looks the same.")
    if found.ok:
        rows = words.count(found.rows, "row", "rows")
        _say(f"All is whole: {found.checked_bytes / 1e6:.1f} MB and {rows} of the custody log were checked.")
    else:
        _say(
            "Keep this file as it is, and go on with a backup. A later check is of use only if this file is unchanged."
        )
    if found.head:
        _say(f"Head of the log, for packets: {found.head}")
    return DONE if found.ok else SOME_NOT


def _export(book: Casebook, args: argparse.Namespace) -> None:
    book.export(Path(args.to), args.incident)
    name = words.visible(args.to)
    if args.json:
        _json({"written": args.to})
    else:
        _say(f"Written: {name}. It is NOT encrypted, and holds fingerprints, addresses and notes, but no image.")
        _say("Give it only to whom you trust, and delete it when it is no longer needed.")


def _backup(book: Casebook, args: argparse.Namespace) -> None:
    book.backup(Path(args.to))
    if args.json:
        _json({"written": args.to})
    else:
        _say(f"Written and checked: {words.visible(args.to)}. It opens with the same passphrase and recovery code.")


def _compact(book: Casebook, args: argparse.Namespace) -> None:
    saved = book.compact()
    if args.json:
        _json({"saved_bytes": saved})
    else:
        _say(f"The file is {saved / 1e6:.1f} MB smaller.")


# Items


def _all_adults(args: argparse.Namespace) -> bool:
    """Settle the question before the casebook or any picture is opened; else record only what is text.

    The proof goes into `args.adults`.
    """
    answer = age_gate.settled(args)
    args.adults = age_gate.admit(answer)
    if args.adults is not None:
        return True
    age_gate.show_where_to_turn(args.country)
    from desktop import case_add

    places, table = case_add.places(args)
    places += [row for rows in table.values() for row in rows]
    if not places:
        name = words.visible(args.file)
        _tell(f"To record where it was seen, as text only: counterproof case sighting {name} URL --maybe-minor")
        return False
    with opened(args) as book:
        incident = _one(book, args)
        seen = [asdict(book.add_sighting(incident.id, maybe_minor=True, **place)) for place in places]
    if args.json:
        _json({"sightings": seen})
    _tell("Recorded where it was seen, as text only. No picture was opened.")
    return False


def _add(book: Casebook, args: argparse.Namespace) -> int:
    from desktop import case_add

    if not args.paths and not args.sightings:
        raise CounterproofError("nothing_to_add", "No file was named.", "Name files or folders after the casebook.")
    done = case_add.add(book, _one(book, args).id, args, args.adults)
    n, known, failed = len(done.added), len(done.already), len(done.not_added)
    if args.json:
        _json(
            {
                "added": [{"path": p, "item": i} for p, i in done.added],
                "already": [{"path": p, "item": i} for p, i in done.already],
                "not_added": [{"path": p, "error": e.to_json()} for p, e in done.not_added],
                "matches": [{"item": a, "shows_the_same_as": b, "distance": d} for a, b, d in done.matches],
                "stopped": done.stopped,
            }
        )
    else:
        _say(f"Added {words.count(n, 'item', 'items')}; {known} already there; {failed} not added.")
    if done.stopped:
        _tell("Stopped. What was added is kept; the same command again goes on with the rest.")
        return INTERRUPTED
    if not n + known + failed:
        _tell("There was nothing to add: no files were found.")
    return DONE if n + known and not failed else SOME_NOT


def _list(book: Casebook, args: argparse.Namespace) -> None:
    items = book.items(args.incident, brief=not args.json)
    counts: dict[int, int] = {}
    for sighting in book.sightings(args.incident):
        if sighting.item_id is not None:
            counts[sighting.item_id] = counts.get(sighting.item_id, 0) + 1
    if args.json:
        _json({"items": [{**asdict(i), "sightings": counts.get(i.id, 0)} for i in items]})
        return
    _lines(case_show.item_line(i, counts.get(i.id, 0)) for i in items)
    if not items:
        _say("There are no items yet.")


def _show(book: Casebook, args: argparse.Namespace) -> None:
    item = book.item(args.item)
    if args.save_image:
        image = book.image(item.id)
        _write_new(args.save_image, image)
        if args.json:
            _json({"written": args.save_image})
        else:
            _say(f"Written: {words.visible(args.save_image)}. It is NOT encrypted.")
        return
    book.viewed(item.id)
    events = book.timeline(item.id)
    if args.json:
        _json({"item": asdict(item), "timeline": [asdict(e) for e in events]})
        return
    _lines(case_show.item_lines(item, args.fingerprints))
    _say("  what happened:")
    _lines(f"    {case_show.local(e.at)}  {e.kind}: {case_show.plain(e.text)}" for e in events)


def _write_new(path: str, data: bytes) -> None:
    """Write a file that is not there yet, for this account alone. Raises CounterproofError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
    except OSError as e:
        raise CounterproofError(
            "not_written", f"{path} could not be written ({e.strerror}).", "Name a new file, in a folder of your own."
        ) from e


def _delete(book: Casebook, args: argparse.Namespace) -> int:
    if (args.item is None) == (args.sighting is None) or (args.maybe_minor and args.item is None):
        raise CounterproofError("which_record", "Nothing was deleted.", "Name one item, or one with --sighting.")
    if args.sighting is not None:
        what, country = f"sighting {args.sighting}", ""
    else:
        what = f"item {args.item}, with its sightings and notes"
        country = book.incident(book.item(args.item).incident_id).country  # raises before anything is asked
    if not args.yes:
        if not age_gate.at_terminal():
            raise CounterproofError("not_confirmed", "Nothing was deleted.", "Add --yes to delete without being asked.")
        if _asked(f"Delete {what}? It cannot be brought back. Type delete: ").casefold() != "delete":
            _tell("Nothing was deleted.")
            return SOME_NOT
    alike: tuple[int, ...] = ()
    if args.sighting is not None:
        book.delete_sighting(args.sighting)
    elif args.maybe_minor:
        from desktop.casebook.alike import alike_left

        alike = alike_left(book, args.item)  # before its fingerprints are gone
        book.mark_maybe_minor(args.item)
        age_gate.show_where_to_turn(country or None)
    else:
        book.delete_item(args.item)
    if args.json:
        return _json({"deleted": what, "alike": alike} if args.maybe_minor else {"deleted": what})
    _say(f"Deleted: {what}. The log holds only that it was deleted. Backups made before still hold it.")
    if alike:
        name = words.visible(args.file)
        _say(f"These look like it, and are still there: {', '.join(f'item {n}' for n in alike)}.")
        _say(f"If someone in one of them may be under 18 too: counterproof case delete {name} ITEM --maybe-minor")
    _tell_of_set_aside(book)
    return DONE


def _groups(book: Casebook, args: argparse.Namespace) -> None:
    for pair, wrong in ((args.not_a_match, True), (args.a_match, False)):
        if pair:
            book.not_a_match(pair[0], pair[1], wrong)
    from desktop import match_cli
    from detectors.fingerprints import near_duplicates

    items = book.items(args.incident)
    numbers = {item.id: n for n, item in enumerate(items)}
    wrong_pairs = [frozenset(numbers[i] for i in pair) for pair in book.wrong_matches() if pair <= numbers.keys()]
    groups = near_duplicates.groups(items, wrong=wrong_pairs)
    if args.json:
        rows = [
            {
                "items": [items[n].id for n in g.members],
                "matches": [
                    {
                        "items": [items[m.a].id, items[m.b].id],
                        "distance": m.distance,
                        "variant": m.variant,
                        "same_bytes": m.same_bytes,
                    }
                    for m in g.matches
                ],
            }
            for g in groups
        ]
        _json({"groups": rows})
        return
    if not groups:
        _say("No two items are copies of each other, as far as their fingerprints show.")
    for number, group in enumerate(groups, 1):
        _say(f"Group {number}: {words.count(len(group.members), 'item', 'items')}")
        first = items[group.members[0]]
        _say(f"  item {first.id}: {case_show.plain(first.label)}")
        for n, match in zip(group.members[1:], group.matches, strict=True):
            how = match_cli.how(match.variant, match.same_bytes, match.view_a, match.view_b)
            _say(f"  item {items[n].id}: {case_show.plain(items[n].label)} (distance {match.distance} of 256; {how})")
    if groups:
        name = words.visible(args.file)
        _say(f"If two are not the same picture: counterproof case groups {name} --not-a-match ITEM ITEM")


# Words


def _note(book: Casebook, args: argparse.Namespace) -> None:
    if args.describe is not None:
        item = book.describe_item(args.describe, _text(args))
        _done(args, {"item": asdict(item)}, f"Item {item.id} is described.")
        return
    text = _text(args)
    about = {"item_id": args.item, "sighting_id": args.sighting, "request_id": args.request}
    note = book.add_note(_one(book, args, args.item).id, text, **about)
    _done(args, {"note": asdict(note)}, f"Note {note.id} is written.")


def _text(args: argparse.Namespace) -> str:
    """The words of a note, as an argument or from standard input. Raises CounterproofError when there are none."""
    text = args.text
    if text is None:
        if sys.stdin.isatty():
            end = "Ctrl-Z and Enter" if os.name == "nt" else "Ctrl-D"
            _tell(f"Write the note. End it with {end} on a line of its own.")
        text = sys.stdin.read().strip()
    if not text:
        raise CounterproofError("nothing_written", "There is nothing to write down.", "Give the text, or type it.")
    return str(text)


def _sighting(book: Casebook, args: argparse.Namespace) -> int:
    if args.url is None:
        rows = book.sightings(args.incident, args.item)
        return _listed(args, "sightings", rows, map(case_show.sighting_line, rows), "Nothing was recorded as seen yet.")
    from desktop.case_add import sighting_fields

    if args.maybe_minor and args.item is not None:
        raise CounterproofError(
            "maybe_minor",
            "Where someone may be under 18, only the text is recorded, without an item.",
            f"Leave out --item. To delete the item: counterproof case delete FILE {args.item} --maybe-minor",
        )
    if not any(text.strip() for text in (args.url, args.platform, args.handle, args.note)):
        raise CounterproofError(
            "nothing_written", "There is nothing to write down.", "Give the address, or --platform."
        )
    incident = _one(book, args, args.item)
    fields = {**sighting_fields(args), "maybe_minor": args.maybe_minor, "item_id": args.item}
    seen = book.add_sighting(incident.id, args.url, **fields)
    _done(args, {"sighting": asdict(seen)}, f"Sighting {seen.id} is recorded.")
    if args.maybe_minor:
        age_gate.show_where_to_turn(incident.country or None)
    return DONE


def _request(book: Casebook, args: argparse.Namespace) -> int:
    from desktop.casebook.records import RequestState

    zone = args.time_zone or case_show.local_zone()
    sent = case_show.moment(args.sent_at, zone) if args.sent_at else None
    state = RequestState(args.state) if args.state else RequestState.SENT if sent else None
    if args.update is not None:
        before = book.request(args.update)
        due = case_show.due(args.due, zone, sent or before.sent_at) if args.due else _by_law(book, before, sent)
        if not args.state and before.state is not RequestState.DRAFT:
            state = None  # a later correction of the date does not take an answer back
        request = book.update_request(
            args.update,
            recipient=args.to,
            legal_basis=args.basis,
            item_ids=args.item or None,
            sighting_ids=args.sighting or None,
            channel=args.channel,
            sent_at=sent,
            reference=args.reference,
            due_at=due,
            state=state,
        )
    elif args.to:
        request = book.add_request(
            _one(book, args, next(iter(args.item), None)).id,
            args.to,
            item_ids=args.item,
            sighting_ids=args.sighting,
            legal_basis=args.basis or "",
            channel=args.channel or "",
            sent_at=sent,
            reference=args.reference or "",
            due_at=case_show.due(args.due, zone, sent) if args.due else None,
            state=state or RequestState.DRAFT,
        )
    elif args.to is not None or any(
        (args.item, args.sighting, args.basis, args.channel, args.sent_at, args.due, args.reference, args.state)
    ):
        raise CounterproofError(
            "no_recipient",
            "Nothing was recorded, because it is not said whom you ask.",
            "Add --to WHOM for another request, or --update N to change request N.",
        )
    else:
        rows = book.requests(args.incident)
        forms = {form.request_id: form for form in book.packet_forms(args.incident)}
        if args.json:
            return _json({"requests": [_request_record(book, r, forms.get(r.id)) for r in rows]})
        _lines(line for r in rows for line in _request_lines(book, r, forms.get(r.id)))
        if not rows:
            _say("No request was recorded yet.")
        return DONE
    form = next((f for f in book.packet_forms(request.incident_id) if f.request_id == request.id), None)
    if args.json:
        return _json({"request": _request_record(book, request, form)})
    _lines(_request_lines(book, request, form))
    return DONE


def _request_lines(book: Casebook, request: Request, form: PacketForm | None) -> Iterable[str]:
    return case_show.request_lines(request, book.answers(request.id), book.packets(request.id), form)


def _request_record(book: Casebook, request: Request, form: PacketForm | None) -> dict[str, Any]:
    """A request as JSON, without the text of its form: `export` holds that."""
    kept = None if form is None else {k: v for k, v in asdict(form).items() if k != "form"}
    return {**asdict(request), "packets": [asdict(p) for p in book.packets(request.id)], "form": kept}


def _by_law(book: Casebook, request: Request, sent: str | None) -> str | None:
    """Until when by the law's own clock, where a request that is now said to be sent was made here."""
    if sent is None or not (book.packets(request.id) or any(f.request_id == request.id for f in book.packet_forms())):
        return None
    from desktop.packets import facts, tracking

    law, platform, channel = tracking.way_of(book, request.id, facts.load())
    due = tracking.due_of(replace(request, sent_at=sent), law, platform, channel)
    return None if due is None else due.at.isoformat(timespec="seconds")


def _answer(book: Casebook, args: argparse.Namespace) -> None:
    from desktop.casebook.records import RequestState

    at = case_show.moment(args.at, case_show.local_zone()) if args.at else ""
    answer = book.add_answer(args.request, args.outcome, args.text, at=at, state=RequestState(args.state))
    if args.json:
        _json({"answer": asdict(answer)})
    else:
        _lines(case_show.request_lines(book.request(args.request), book.answers(args.request)))


def _incident(book: Casebook, args: argparse.Namespace) -> int:
    given = {k: getattr(args, k) for k in ("title", "depicted", "wanted", "country") if getattr(args, k) is not None}
    if args.new:
        title = given.pop("title", f"Begun on {case_show.local(case_show.now())[:10]}")
        incident = book.add_incident(title, **given)
    elif given:
        incident = book.update_incident(_one(book, args).id, **given)
    else:
        rows = book.incidents()
        lines = (line for i in rows for line in case_show.incident_lines(i, book.overview(i.id)))
        return _listed(args, "incidents", rows, lines, "There is no incident.")
    return _done(args, {"incident": asdict(incident)}, f"Incident {incident.id} is recorded.")


def _consent(book: Casebook, args: argparse.Namespace) -> int:
    if args.withdraw is not None:
        consent = book.withdraw_consent(args.withdraw)
        return _done(args, {"consent": asdict(consent)}, f"Consent {consent.id} no longer holds.")
    incident = _one(book, args)
    if args.who is None:
        rows = book.consents(incident.id)
        return _listed(args, "consents", rows, map(case_show.consent_line, rows), "Nobody was recorded yet.")
    at = case_show.moment(args.given_at, case_show.local_zone()) if args.given_at else ""
    more = {"role": args.role, "authority": args.authority, "scope": args.scope, "given_at": at}
    consent = book.add_consent(incident.id, args.who, **more)
    return _done(args, {"consent": asdict(consent)}, f"Consent {consent.id} is recorded.")


def _contact(book: Casebook, args: argparse.Namespace) -> int:
    given = {"role": args.role, "address": args.address, "note": args.note}
    if args.update is not None:
        contact = book.update_contact(args.update, name=args.name, **given)
        return _done(args, {"contact": asdict(contact)}, f"Contact {contact.id} is changed.")
    if args.name is None:
        rows = book.contacts(args.incident)
        lines = (
            f"{c.id:>5}  {case_show.plain(', '.join(filter(None, (c.name, c.role, c.address, c.note))))}" for c in rows
        )
        return _listed(args, "contacts", rows, lines, "Nobody was recorded yet.")
    more = {name: text or "" for name, text in given.items()}
    contact = book.add_contact(_one(book, args).id, args.name, **more)
    return _done(args, {"contact": asdict(contact)}, f"Contact {contact.id} is recorded.")


def _log(book: Casebook, args: argparse.Namespace) -> None:
    rows = book.log(args.after)
    if args.json:
        _json({"log": [asdict(r) for r in rows]})
    else:
        for row in rows:
            _lines(case_show.log_lines(row, args.fingerprints))


def _one(book: Casebook, args: argparse.Namespace, item_id: int | None = None) -> Incident:
    """The incident that was meant: as given, that of the item, or the only one. Raises CounterproofError."""
    if args.incident is not None:
        return book.incident(args.incident)
    if item_id is not None:
        return book.incident(book.item(item_id).incident_id)
    incidents = book.incidents()
    if len(incidents) == 1:
        return incidents[0]
    if not incidents:
        raise CounterproofError(
            "no_incident", "There is no incident yet.", "Begin one: counterproof case incident FILE --new"
        )
    names = "; ".join(f"{i.id}: {words.visible(i.title)}" for i in incidents)
    raise CounterproofError("which_incident", f"There are several incidents ({names}).", "Say which with --incident N.")


# Output


def _done(args: argparse.Namespace, record: dict[str, Any], says: str) -> int:
    if args.json:
        return _json(record)
    _say(says)
    return DONE


def _listed(args: argparse.Namespace, name: str, rows: Sequence[Any], lines: Iterable[str], none: str) -> int:
    if args.json:
        return _json({name: [asdict(r) for r in rows]})
    _lines(lines)
    if not rows:
        _say(none)
    return DONE


def _asked(question: str) -> str:
    """A line typed at the terminal. Raises KeyboardInterrupt at the end of input."""
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def _json(record: dict[str, Any], good: bool = True) -> int:
    text = json.dumps({"schema": SCHEMA, **record}, indent=1, ensure_ascii=True)
    _say(text)
    return DONE if good else SOME_NOT


def _lines(lines: Iterable[str]) -> None:
    """Lines on standard output; at a terminal, long ones go on below, two columns further in."""
    import textwrap

    columns = words.terminal_columns() if sys.stdout.isatty() else 0
    for line in lines:
        if words.width(line) > columns > 40:
            inset = " " * (len(line) - len(line.lstrip()) + 2)
            line = textwrap.fill(line, columns, subsequent_indent=inset, break_long_words=False, break_on_hyphens=False)
        _say(line)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _tell(text: str) -> None:
    """Words for the person, on standard error."""
    import textwrap

    sys.stderr.write(textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False) + "\n")
    sys.stderr.flush()
