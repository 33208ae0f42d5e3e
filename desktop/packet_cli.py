"""The `packet` verb: what a request still lacks, which ways there are, the packet itself, and its check."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop import packet_show as show
from desktop import words
from desktop.cli import DONE, INTERRUPTED, SOME_NOT, USAGE
from desktop.safety import passphrase
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    import argparse

    from desktop.packets.complete import Assessment
    from desktop.packets.facts import Facts
    from desktop.packets.request import Request

_EPILOG = """\
A packet is what you send: letters and records in one zip file, signed, that anybody can
check with public tools. A request says who is depicted, where the pictures are, on
which law, and to whom. It is a text file (TOML): start from the example
resources/demo/request.toml, which docs/requests.md explains.

examples:
  counterproof packet check request.toml
  counterproof packet routes request.toml
  counterproof packet build request.toml -o out --casebook my.case
  counterproof packet build request.toml -o out --key my-key.pem --to age1…
  counterproof packet verify request-1a2b3c4d.zip
  counterproof packet facts us_tida

Nothing is sent: you send the packet yourself, when you want to. REQUEST can be -, for
standard input.

exit status: 0 done; 1 not done (the reason is on standard error), or for verify: the
packet was changed; 2 the request is not complete or cannot be made (what is missing is
listed), or the command was not understood; 130 stopped"""


def arguments(packet: argparse.ArgumentParser) -> None:
    """Fill the verb's parser with its own verbs."""
    import argparse

    packet.description = "Takedown packets: what a request lacks, whom to ask, the letters, and how to check them."
    packet.epilog = _EPILOG
    packet.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = packet.add_subparsers(dest="packet_verb", metavar="VERB", required=True)

    def verb(name: str, says: str, *, request: bool = True, json_too: bool = True) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = kinds.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.")
        if request:
            parser.add_argument("request", metavar="REQUEST", help="the request, a file; - for standard input")
        if name != "verify":
            parser.add_argument("--added-facts", metavar="DIR", help="laws and platforms that were added by hand")
        if json_too:
            parser.add_argument("--json", action="store_true", help="print one JSON object")
        return parser

    verb("check", "say what a request has, what it lacks, and what it may cost")
    verb("routes", "say whom to ask, in which order, and why")
    _build_arguments(verb("build", "build the packet"))
    split = verb("split", "divide a request about many places as the platform wants them")
    _output_argument(split, "where the new requests are written")
    verify = verb("verify", "check a packet to the last bit", request=False)
    verify.epilog = (
        "--passphrase-file and --passphrase-fd give the passphrase of a .zip.age, which is asked for otherwise."
    )
    verify.add_argument("packet", metavar="PACKET", help="the .zip, or the .zip.age")
    verify.add_argument("--signer", metavar="FINGERPRINT", help="also check that this key signed it")
    verify.add_argument("--identity", action="append", default=[], metavar="FILE", help="your key, for a .zip.age")
    passphrase.arguments(verify)
    facts = verb("facts", "show the laws and platforms, or one of them, or add newer ones", request=False)
    facts.add_argument("id", nargs="?", metavar="ID", help="such as us_tida, or x; left out, all are listed")
    facts.add_argument("--import", dest="new", metavar="FILE", help="show what a newer file changes, and add it")
    facts.add_argument("--yes", action="store_true", help="add it without asking")


def _build_arguments(build: argparse.ArgumentParser) -> None:
    build.epilog = (
        "--passphrase-file and --passphrase-fd give the passphrase of the casebook, which is asked for otherwise."
    )
    _output_argument(build, "where the packet is written")
    signing = build.add_mutually_exclusive_group(required=True)
    signing.add_argument(
        "--casebook",
        metavar="FILE",
        help="sign with the key of this casebook, add its custody log, and record it there",
    )
    signing.add_argument("--key", metavar="FILE", help="sign with this key (PEM); it is made if it is not there")
    signing.add_argument("--unsigned", action="store_true", help="sign with no key: then anybody could have made it")
    build.add_argument("--draft", action="store_true", help="build it incomplete, marked as a draft on every page")
    build.add_argument(
        "--image",
        choices=("none", "blurred", "full"),
        default="none",
        help="whether the pictures go along. Hardly any request needs that; where it is ruled out, it is refused",
    )
    build.add_argument("--yes", action="store_true", help="with --image: do not ask whether you are sure")
    build.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="KEY",
        help="encrypt to this public key (age1… or ssh-…); repeat it",
    )
    build.add_argument("--encrypt", action="store_true", help="encrypt with a passphrase, which is asked for")
    group = build.add_mutually_exclusive_group()
    group.add_argument("--packet-passphrase-file", metavar="FILE", help="encrypt with the passphrase in FILE")
    group.add_argument("--packet-passphrase-fd", type=int, metavar="N", help="the same, from file descriptor N")
    build.add_argument(
        "--no-sheet", action="store_true", help="leave out the two files for you, which are never encrypted"
    )
    passphrase.arguments(build)
    build.add_argument("--incident", type=int, metavar="N", help="where the casebook records it, if it holds several")
    build.add_argument("--as", dest="actor", metavar="NAME", help="who is at work, for the casebook’s custody log")


def _output_argument(parser: argparse.ArgumentParser, says: str) -> None:
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help=says)


def run(args: argparse.Namespace) -> int:
    """Run one of the verbs and return the exit status."""
    work: dict[str, Callable[[argparse.Namespace], int]] = {
        "check": _check,
        "routes": _routes,
        "build": _build,
        "split": _split,
        "verify": _verify,
        "facts": _facts,
    }
    try:
        return work[args.packet_verb](args)
    except CounterproofError as e:
        show.tell(f"{words.visible(e.message)} {words.visible(e.remedy)}")
        return SOME_NOT
    except KeyboardInterrupt:
        show.tell("Stopped.")
        return INTERRUPTED


def _loaded(args: argparse.Namespace) -> Facts:
    """The laws and platforms, with those that were added by hand."""
    from desktop.packets import facts

    return facts.load(added=_added_folder(args))


def _added_folder(args: argparse.Namespace) -> Path:
    from desktop.safety import helplines

    return helplines.added() if args.added_facts is None else Path(args.added_facts)


def _request(args: argparse.Namespace) -> Request:
    """The request, from its file or from standard input. Raises CounterproofError."""
    from desktop.packets import request

    data = _read(args.request, request.MOST_BYTES)
    try:
        return request.from_text(data.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        raise CounterproofError(
            "bad_request", "The request is not text in UTF-8.", "Save it as UTF-8 in your editor, and try again."
        ) from e


def _read(path: str, most: int) -> bytes:
    """A file, or standard input for `-`, of at most so many bytes. Raises CounterproofError."""
    name = "Standard input" if path == "-" else words.visible(path)
    try:
        if path == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(most + 1)
    except OSError as e:
        raise CounterproofError("not_read", f"{name} could not be read ({e.strerror}).", "Check the name.") from e
    if len(data) > most:
        raise CounterproofError("too_large", f"{name} is larger than {most >> 20} MB.", "Check which file it is.")
    return data


def _build(args: argparse.Namespace) -> int:
    from desktop import packet_build
    from desktop.packets import complete

    request, facts = _request(args), _loaded(args)
    if request.created_at is None:
        now = datetime.now(UTC).replace(microsecond=0)
        request = replace(request, created_at=now)
        show.tell(f"To make the same packet again later, add to the request: created_at = {now.isoformat()}")
    assessment, asked = complete.assess(request, facts), request.include.image
    if asked != args.image and not assessment.refusals:  # what `check` refuses is refused here
        if asked != "none":
            show.tell(f"The request asks for pictures; that is asked again here, with --image {asked}.")
        request = replace(request, include=replace(request.include, image=args.image))
        assessment = complete.assess(request, facts)
    return packet_build.build(args, assessment, facts)


def _assessed(args: argparse.Namespace) -> Assessment:
    from desktop.packets import complete

    return complete.assess(_request(args), _loaded(args))


def _check(args: argparse.Namespace) -> int:
    return _told(args, _assessed(args))


def _told(args: argparse.Namespace, assessment: Assessment) -> int:
    """Say how a request stands; the exit status."""
    if args.json:
        show.as_json("packet_check", show.assessed(assessment))
    else:
        show.say_all(show.check_lines(assessment))
    return DONE if assessment.complete and not assessment.refusals else USAGE


def _routes(args: argparse.Namespace) -> int:
    from desktop.packets import routes

    found = routes.routes(_request(args), _loaded(args))
    if args.json:
        show.as_json("packet_routes", {"routes": [show.plain(asdict(r)) for r in found]})
        return DONE
    show.say_all(show.route_lines(found))
    return DONE if any(not r.refused for r in found) else USAGE


def _split(args: argparse.Namespace) -> int:
    from desktop.packets import bag, batches
    from desktop.packets.request import to_json

    assessment = _assessed(args)
    if assessment.refusals:
        return _told(args, assessment)
    parts = batches.split(assessment.request, assessment.platform, assessment.channel)
    width = len(str(len(parts)))
    files = {f"request-{n:0{width}}-of-{len(parts)}.json": to_json(p).encode() for n, p in enumerate(parts, 1)}
    paths = bag.save(Path(args.output), files)
    counted = [len(part.sightings) for part in parts]
    if args.json:
        return show.as_json("packet_split", {"written": [str(p) for p in paths], "sightings": counted})
    places = words.count(sum(counted), "place", "places")
    many = words.count(len(parts), "request", "requests")
    show.say_all(
        [f"{places} in {many}, as {assessment.platform.name} takes them. They are in {words.visible(args.output)}:"]
    )
    show.say_all(f"  {path.name}: {words.count(n, 'place', 'places')}" for path, n in zip(paths, counted, strict=True))
    return DONE


def _verify(args: argparse.Namespace) -> int:
    from desktop.packets import age_files, bag, verify

    data = _read(args.packet, bag.MOST_BYTES + (bag.MOST_BYTES >> 8))
    if age_files.is_encrypted(data):
        data = _decrypted(args, data)
    found = verify.verify(data)
    expected = _expected(args.signer)
    if expected and found.ok and found.signer != expected:
        who = f"by another key: {found.signer}" if found.signer else "by no key"
        found = replace(found, ok=False, problems=(f"It is whole, but signed {who}.",))
    if args.json:
        show.as_json("packet_verify", show.plain(asdict(found)))
    else:
        show.say_all(show.verified_lines(args, found))
    return DONE if found.ok else SOME_NOT


def _decrypted(args: argparse.Namespace, data: bytes) -> bytes:
    from desktop.packets import age_files

    if age_files.needs_passphrase(data):
        return age_files.decrypt(data, passphrase=passphrase.read(args, "Passphrase of the packet"))
    if not args.identity:
        raise CounterproofError(
            "no_identity", "This packet is encrypted to a key.", "Name the file with yours: --identity FILE."
        )
    texts = [_read(path, 1 << 20).decode("utf-8", "replace") for path in args.identity]
    return age_files.decrypt(data, identities=texts)


def _expected(text: str | None) -> str:
    """A fingerprint as it was typed, as `signatures.fingerprint` writes it; empty when none was given."""
    if text is None:
        return ""
    digits = "".join(text.split()).replace(":", "").casefold()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise CounterproofError(
            "bad_fingerprint",
            "That is not the fingerprint of a key, so nothing was checked.",
            "It has 64 digits from 0-9 and a-f, with or without spaces; put it in quotation marks.",
        )
    return " ".join(digits[at : at + 4] for at in range(0, 64, 4))


def _facts(args: argparse.Namespace) -> int:
    if args.new is not None:
        return _import(args)
    facts = _loaded(args)
    if args.id is not None:
        return _fact(args, facts)
    laws, platforms = list(facts.laws.values()), list(facts.platforms.values())
    if args.json:
        rows = {"laws": [show.summary(x) for x in laws], "platforms": [show.summary(x) for x in platforms]}
        return show.as_json("packet_facts", rows)
    for title, found in (("Laws", laws), ("Platforms, and others who can be asked", platforms)):
        show.say(f"{title} ({len(found)})")
        for one in found:
            mark = "" if one.confidence == "verified" and not one.added_on else f" ({show.mark(one)})"
            show.say_all([f"  {one.id}: {one.name}{mark}"])
        show.say("")
    show.say_all(
        ["What is marked was not read in an official text or on the platform’s own pages: check before sending."]
    )
    return DONE


def _fact(args: argparse.Namespace, facts: Facts) -> int:
    kind, _, id = args.id.rpartition("/")
    is_law = id in facts.laws and kind in ("", "laws")
    if not is_law and (id not in facts.platforms or kind not in ("", "platforms")):
        near = ", ".join(difflib.get_close_matches(id, [*facts.laws, *facts.platforms], cutoff=0.5))
        remedy = f"Perhaps one of these: {near}." if near else "counterproof packet facts lists all."
        name = words.visible(args.id)[:60]
        raise CounterproofError("unknown_fact", f"There is no law or platform called “{name}”.", remedy)
    one: Any = facts.law(id) if is_law else facts.platform(id)
    if args.json:
        return show.as_json(
            "packet_fact", {"law" if is_law else "platform": show.plain(asdict(one)), "doubts": list(one.doubts())}
        )
    show.say_all(show.law_lines(one) if is_law else show.platform_lines(one))
    read = f" Read on {one.verified_on}." if one.verified_on else ""
    show.say_all(show.section("Source", [f"{one.source}.{read}" if one.source else "None."]))
    show.say_all(show.section("Check before sending", one.doubts()))
    return DONE


def _import(args: argparse.Namespace) -> int:
    from desktop.packets import facts_import
    from desktop.safety import age_gate

    proposal = facts_import.check_import(Path(args.new), _loaded(args))
    lines = [show.difference_line(d) for d in sorted(proposal.differences, key=lambda d: not d.risky)]
    if args.json and not args.yes:
        return show.as_json(
            "packet_import", {"differences": [show.plain(asdict(d)) for d in proposal.differences], "added": False}
        )
    if not args.json:
        show.say_all([f"{words.visible(args.new)} would change:", *lines])
    if not args.yes:
        if not age_gate.at_terminal():
            raise CounterproofError("not_confirmed", "Nothing was added.", "Add --yes to add it without being asked.")
        show.tell("Add it only if you know who made it: whoever changes an address here sends your request elsewhere.")
        sys.stderr.write("Add it? Type yes, or press Enter to leave it: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().casefold() != "yes":
            show.tell("Nothing was added.")
            return SOME_NOT
    facts_import.apply_import(proposal, _added_folder(args))
    if args.json:
        return show.as_json(
            "packet_import", {"differences": [show.plain(asdict(d)) for d in proposal.differences], "added": True}
        )
    show.say("Added. What comes from it says so from now on.")
    return DONE
