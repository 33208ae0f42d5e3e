"""Until when an answer is due: by the clock of the law, in the time zone of the law."""

from __future__ import annotations

import calendar
import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desktop.safety.helplines import Confidence
from detectors.errors import CounterproofError

if TYPE_CHECKING:
    from desktop.packets.facts import Channel, Deadline, Law

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Due:
    """Until when. `at` is the instant, in `time_zone` (IANA).

    With `whole_days` the limit ends with a day: `at` is then 0:00 of the next one, to be said as the end of the day
    before. `basis` is law, or platform where only the platform itself states a limit; `words` say it in its words.
    """

    at: datetime.datetime
    time_zone: str
    basis: str
    words: str
    confidence: Confidence
    whole_days: bool = False


def due(law: Law | None, channel: Channel | None, sent_at: datetime.datetime) -> Due | None:
    """Until when, for a request sent at that time (aware); None where neither law nor platform names a limit.

    Hours are elapsed hours, whatever the clocks do meanwhile. Days and months do not count the day of sending and end
    at 24:00 in the law's zone; a month ends on the day with the same number or else on the last of the month, and on
    the next working day where that is a Saturday or Sunday (Regulation (EEC, Euratom) 1182/71, Art. 3; public holidays
    are not known here). Raises ValueError for a time without an offset, and CounterproofError (unknown_time_zone)
    where this computer does not know the law's zone.
    """
    if sent_at.utcoffset() is None:
        raise ValueError("the time of sending needs an offset")
    if law is not None and law.deadline is not None:
        limit = law.deadline
        at = _ends(limit, sent_at, law.time_zone)
        return Due(at, law.time_zone, "law", limit.words, limit.confidence, whole_days=not limit.hours)
    if channel is not None and channel.deadline_hours is not None:
        hours = channel.deadline_hours
        at = sent_at.astimezone(datetime.UTC) + datetime.timedelta(hours=hours)
        return Due(at, "UTC", "platform", f"{hours} hours", channel.confidence)
    return None


def _ends(limit: Deadline, sent_at: datetime.datetime, zone_name: str) -> datetime.datetime:
    from zoneinfo import ZoneInfo

    try:
        zone = ZoneInfo(zone_name)
    except (KeyError, ValueError, OSError) as e:
        raise CounterproofError(
            "unknown_time_zone",
            f"This computer does not know the time zone {zone_name[:64]!r}, in which the law counts its days.",
            "Install the time zones of the system (the package tzdata), or Counterproof again.",
        ) from e
    if limit.hours:
        return (sent_at.astimezone(datetime.UTC) + datetime.timedelta(hours=limit.hours)).astimezone(zone)
    day = sent_at.astimezone(zone).date()
    last = _months_later(day, limit.months) if limit.months else day + datetime.timedelta(days=limit.days)
    # Where clocks jump at midnight this is the instant of the jump; where 0:00 comes twice, the first: the day is over.
    return datetime.datetime.combine(last + datetime.timedelta(days=1), datetime.time(), zone)


def _months_later(day: datetime.date, months: int) -> datetime.date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    last = datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    return last + datetime.timedelta(days=max(0, 7 - last.weekday()) if last.weekday() >= _SATURDAY else 0)
