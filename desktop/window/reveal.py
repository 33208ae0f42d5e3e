"""Blurred until held: the states of one picture on screen. Qt-free; the widget feeds it presses and releases.

Clear pixels exist only between a press and the end of that press. Whatever ends it (a release, lost focus, another
picture) drops them at once, and an answer that comes late is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Protocol

Source = str | int
"""Where a picture comes from: a file's path, or the number of an item whose image the casebook keeps."""

# Several pictures can be on screen: no answer for one is taken for another's.
_tickets = count(1)
_owners = count(1)


class Pixels(Protocol):
    """What the engine's preview gives: `rgb` holds width x height x 3 bytes, rows from the top, no padding."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def rgb(self) -> bytes: ...


class Stage(StrEnum):
    """`empty`: nothing to show; `blurred`; `opening`: held, pixels not there yet; `clear`: held and shown."""

    EMPTY = "empty"
    BLURRED = "blurred"
    OPENING = "opening"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Request:
    """One wish for pixels. Its answer counts only while `ticket` is still the current one of its `owner`."""

    ticket: int
    source: Source
    blurred: bool
    owner: int = 0


class Reveal:
    """The picture on screen and whether it is being held."""

    def __init__(self) -> None:
        self.stage = Stage.EMPTY
        self.blurred: Pixels | None = None
        self.clear: Pixels | None = None
        self.problem = ""
        self._owner = next(_owners)
        self._source: Source | None = None
        self._ticket = self._blurred_ticket = 0

    @property
    def source(self) -> Source | None:
        """What is shown."""
        return self._source

    def show(self, source: Source | None) -> Request | None:
        """Another picture, blurred; None for none. Gives the wish for blurred pixels."""
        self.clear = self.blurred = None
        self.problem = ""
        self._source = source
        self._ticket = self._blurred_ticket = next(_tickets)
        self.stage = Stage.EMPTY if source is None else Stage.BLURRED
        return None if source is None else Request(self._ticket, source, True, self._owner)

    def press(self) -> Request | None:
        """The user presses and holds. Gives the wish for clear pixels, or None when there is nothing to open."""
        if self._source is None or self.stage is not Stage.BLURRED:
            return None
        self.stage = Stage.OPENING
        self._ticket = next(_tickets)
        return Request(self._ticket, self._source, False, self._owner)

    def release(self) -> bool:
        """The press ended, in whatever way. Blurred again at once; True when something changed."""
        if self.stage not in (Stage.OPENING, Stage.CLEAR):
            return False
        self.clear = None
        self._ticket = next(_tickets)
        self.stage = Stage.BLURRED
        return True

    def arrived(self, request: Request, pixels: Pixels) -> bool:
        """Pixels came. They are kept only when their wish still holds; True when something changed."""
        if request.blurred:
            if request.ticket != self._blurred_ticket or self._source is None:
                return False
            self.blurred = pixels
            return True
        if request.ticket != self._ticket or self.stage is not Stage.OPENING:
            return False
        self.clear = pixels
        self.stage = Stage.CLEAR
        return True

    def failed(self, request: Request, problem: str) -> bool:
        """No pixels could be made, for the reason `problem`; True when that is worth showing."""
        current = self._blurred_ticket if request.blurred else self._ticket
        if request.ticket != current or self._source is None:
            return False
        self.problem = problem
        self.release()
        return True
