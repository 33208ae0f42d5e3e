"""The command line: `counterproof scan`, `counterproof doctor`, `counterproof window`.

Everything heavy is imported where it is used: `counterproof scan` on an unchanged folder needs no model, no NumPy
and no Qt, and starts like a small tool.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DONE, SOME_NOT, USAGE, INTERRUPTED = 0, 1, 2, 130

_SCAN_EPILOG = """\
examples:
  counterproof scan photo.jpg                        one picture, with the reasons
  counterproof scan folder --html report.html        a folder, as a page to read and print
  counterproof scan folder --references my-photos    also finds the photo that a picture was made from
  find . -name '*.webp' -print0 | counterproof scan - --jsonl results.jsonl

If anyone in a picture may be under 18, please do not check it here and do not copy it: --age minor opens nothing and
shows where to turn. At a terminal this is asked first, unless --age answers it; without one, the run goes on.

The results hold file names and fingerprints of the pictures, so keep them as private as the pictures.
exit status: 0 every file was checked, 1 some were not, 2 the command was not understood or could not start,
130 stopped with Ctrl-C (what was done is kept)"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status. With no verb, the window opens."""
    argv = sys.argv[1:] if argv is None else argv
    _open_closed_streams()
    if argv[:1] == ["--worker"]:  # the frozen build has one executable, and starts itself as its own worker
        from detectors.intake import worker

        return worker.main()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show must not end the run
            stream.reconfigure(errors="backslashreplace")
    args = _parser(argv[0] if argv else "window").parse_args(argv or ["window"])
    try:
        return _run(args)
    except BrokenPipeError:  # whoever read `doctor` has had enough
        from desktop.output.writer import forget_stdout

        forget_stdout()
        return SOME_NOT
    except KeyboardInterrupt:  # before or after the scan itself, which has its own way of stopping
        return INTERRUPTED


def _open_closed_streams() -> None:
    """Point closed standard streams at nothing, or a file of results gets their number, and with it the messages."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends


def _run(args: argparse.Namespace) -> int:
    if args.verb == "scan":
        from desktop import batch

        return batch.run(args)
    if args.verb == "doctor":
        from desktop import doctor

        return doctor.run(as_json=args.json)
    if args.verb == "models":
        from desktop import models_cli

        return models_cli.run(args)
    if args.verb in ("group", "match"):
        from desktop import match_cli

        return match_cli.run(args)
    if args.verb == "helplines":
        from desktop.safety import helplines

        return helplines.run(args.country, args.minors)
    if args.verb == "case":
        from desktop import case_cli

        return case_cli.run(args)
    if args.verb == "packet":
        from desktop import packet_cli

        return packet_cli.run(args)
    return _window(args.paths)


def _parser(verb: str) -> argparse.ArgumentParser:
    import argparse

    from detectors import __version__

    parser = argparse.ArgumentParser(
        prog="counterproof",
        description="Checks images on this computer for signs of synthetic imagery. Nothing leaves the computer.",
    )
    parser.add_argument("--version", action="version", version=f"counterproof {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    scan = verbs.add_parser(
        "scan",
        help="check files and folders",
        description="Checks files and folders, and says for each what was found and how sure that is.",
        epilog=_SCAN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _scan_arguments(scan)
    doctor = verbs.add_parser(
        "doctor",
        help="check this installation",
        description="Checks the models, the protections and the libraries, and tests itself on two built-in pictures.",
    )
    doctor.add_argument("--json", action="store_true", help="print the results as one JSON object")
    from desktop import models_cli

    models_cli.arguments(verbs)
    from desktop import match_cli

    match_cli.arguments(verbs)
    case = verbs.add_parser("case", help="keep an encrypted casebook: what was found, where it was seen, who was asked")
    if verb == "case":  # its twenty verbs would slow every other start
        from desktop import case_cli

        case_cli.arguments(case)
    packet = verbs.add_parser(
        "packet", help="what you send: what a request lacks, whom to ask, the letters, their check"
    )
    if verb == "packet":
        from desktop import packet_cli

        packet_cli.arguments(packet)
    from desktop.safety import age_gate

    turn = verbs.add_parser("helplines", help="show who helps, in your country and everywhere")
    turn.add_argument("--minors", action="store_true", help="for pictures of people who are or were under 18")
    turn.add_argument("--country", type=age_gate.country, metavar="XX", help="your country, such as GB")
    window = verbs.add_parser("window", help="open the window (also without any verb)")
    window.add_argument("paths", nargs="*", metavar="PATH", help="files and folders to check at once")
    return parser


def _scan_arguments(scan: argparse.ArgumentParser) -> None:
    add = scan.add_argument
    add(
        "paths",
        nargs="+",
        metavar="PATH",
        help="files, folders (with all that is in them) or patterns such as 'in/*.png'; - reads a list of files from "
        "standard input, one a line or separated by NUL bytes",
    )
    add("--jsonl", metavar="FILE", help="write one line of JSON a file; - for standard output")
    add("--csv", metavar="FILE", help="write a spreadsheet, one row a file; - for standard output")
    add("--html", metavar="FILE", help="write one page to read and print, with small blurred pictures")
    add(
        "--resume",
        action="store_true",
        help="go on with a scan that was stopped: give the same command again, with its --jsonl file",
    )
    add("--jobs", type=jobs, metavar="N", help="worker processes (as many as processor cores)")
    add(
        "--profile",
        choices=("auto", "fast", "thorough", "cascade"),
        help="how much time to spend on a picture: fast, the quick check; thorough, about a second each; cascade, the "
        "quick check first and the thorough one where it does not clear the picture. auto (the default) is thorough "
        "for at most four files given by name, cascade for up to 2,000 files and for a list on standard input, whose "
        "length is not known beforehand, and fast for more",
    )
    add(
        "--references",
        metavar="FOLDER",
        action="append",
        default=[],
        help="a folder with the person's own photos (portraits, press and campaign photos): finds the one that a "
        "picture was made from, and shows which part was kept and which was replaced. May be given more than once",
    )
    add("--no-cache", action="store_true", help="check every file anew, and remember nothing")
    add("--quiet", action="store_true", help="show no progress and no closing summary on standard error")
    from desktop.safety import age_gate

    age_gate.arguments(scan)


def jobs(text: str) -> int:
    """A number of worker processes, as typed."""
    import argparse

    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 256):
        raise argparse.ArgumentTypeError("give a whole number from 1 to 256")
    return int(text)


def _window(paths: list[str]) -> int:
    """Open the window; where it cannot open, say why in one line instead of Qt's abort."""
    from desktop import system_libraries

    if problem := system_libraries.problem():
        sys.stderr.write(problem + "\n")
        return USAGE
    from desktop.window import app

    return app.run(paths)
