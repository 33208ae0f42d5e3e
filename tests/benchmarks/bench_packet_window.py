"""How long the guided form takes over a request about 20,000 places, step by step.

Run: python -m tests.benchmarks.bench_packet_window [--places 20000]

Prints milliseconds by step, once each, offscreen, with a real casebook in a temporary folder. What says “window” holds
up the window; the rest is done in other threads. It judges nothing: the times depend on the machine.
"""

from __future__ import annotations

import argparse
import datetime
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication, QWidget

from desktop.casebook.casebook import Casebook
from desktop.casebook.records import NewSighting
from desktop.packets.request import Gate, Sender
from desktop.window import packet_jobs, packet_view
from desktop.window.packet_places import WherePage
from desktop.window.packet_questions import pages

T = TypeVar("T")
SITES = (
    "https://x.com/a/status/{}",
    "https://t.me/channel/{}",
    "https://www.facebook.com/a/posts/{}",
    "https://www.reddit.com/r/a/comments/{}/b/",
    "https://gallery.example/{}",
)


def timed(name: str, job: Callable[[], T]) -> T:
    """Does it, and prints how long it took."""
    start = time.perf_counter()
    found = job()
    print(f"{name:46}{(time.perf_counter() - start) * 1000:8.0f} ms", flush=True)
    return found


def measure(folder: Path, number: int) -> None:
    """All steps over one casebook."""
    book, _ = Casebook.create(folder / "many.casebook", "four unrelated dull words", "ana")
    incident = book.add_incident("March", depicted="Amina Okoro-Lindqvist", country="KE")
    places = [NewSighting(SITES[n % len(SITES)].format(1_000_000 + n)) for n in range(number)]
    timed("record them, at once", lambda: book.add_sightings(incident.id, places))
    begun = timed("begin the form", lambda: packet_jobs.begin(book, incident.id, (), ()))
    gate = Gate(age="adults", intimate=True, satire=False, news=False)
    request = replace(begun.request, gate=gate, sender=Sender(role="depicted", name="Amina"))
    nobody: frozenset[int] = frozenset()
    parent = QWidget()
    page = next(p for p in pages(request, None) if p.id == "where")

    def where() -> WherePage:
        widget = WherePage(page, request, begun.everything, begun.asked, parent)
        widget.resize(800, 600)
        parent.show()
        QApplication.processEvents()
        return widget

    shown = timed("the page with the places (window)", where)
    timed("tick none of them (window)", lambda: (shown.none.click(), QApplication.processEvents()))
    packet_jobs.facts()
    timed("look at a request without a way", lambda: packet_jobs.look(request, nobody))
    outlook = timed("look for all ways", lambda: packet_jobs.look(request, nobody, request))
    wide = packet_view.with_route(request, next(r for r in outlook.routes if r.kind == "search"))
    timed("look at one way with all of them", lambda: packet_jobs.look(wide, nobody))
    request_id = timed("save it", lambda: packet_jobs.keep(book, incident.id, None, wide, "way", None))
    timed("save it again", lambda: packet_jobs.keep(book, incident.id, request_id, wide, "way", None))
    now = datetime.datetime.now().astimezone()
    timed("list the requests", lambda: packet_jobs.tracked(book, incident.id, now))
    book.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", type=int, default=20_000)
    args = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), args.places)
    application.quit()


if __name__ == "__main__":
    main()
