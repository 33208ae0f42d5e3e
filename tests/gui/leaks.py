"""Notes who starts timers and threads, and finds those that still run."""

from __future__ import annotations

import traceback
import weakref
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QThread, QTimer
from shiboken6 import isValid


class Started:
    """Timers and threads that were started, each with the lines that did it."""

    def __init__(self) -> None:
        self.seen: list[tuple[weakref.ref[Any], str]] = []

    def recording(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """`start`, noted."""

        def noted(thing: QTimer | QThread, *args: Any) -> Any:
            self.seen.append((weakref.ref(thing), "".join(traceback.format_stack(limit=4)[:-1])))
            return start(thing, *args)

        return noted


def running(started: Started) -> list[str]:
    """Where the timers and threads were started that still run."""
    left = []
    for reference, where in started.seen:
        thing = reference()
        if thing is None or not isValid(thing):
            continue
        active = thing.isActive() if isinstance(thing, QTimer) else thing.isRunning()
        if active:
            left.append(f"{type(thing).__name__} started at\n{where}")
    return left
