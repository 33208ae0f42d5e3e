"""Values as a casebook writes them: times, time zones and countries, checked on the way in."""

from __future__ import annotations

import datetime

from desktop.casebook.records import CasebookError


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def moment(at: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(at)


def time_text(text: str) -> str:
    """ISO 8601 with an offset and whole seconds; now when empty. Raises bad_record."""
    if not text:
        return now()
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CasebookError(
            "bad_record",
            f"{text!r} is not a time with an offset from UTC.",
            "Write it like 2026-11-24T18:00:00+00:00.",
        )
    return moment.isoformat(timespec="seconds")


def zone_name(name: str) -> str:
    """An IANA name. Raises bad_record. Where the system has no list of zones (Windows), only its form is checked."""
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        plain = name.replace("/", "").replace("_", "").replace("-", "").replace("+", "").isalnum()
        if not plain or zoneinfo.available_timezones():
            raise CasebookError(
                "bad_record",
                f"{name!r} is not the name of a time zone.",
                "Write it like Europe/Copenhagen or Africa/Nairobi.",
            ) from None
    return name


def country_code(code: str) -> str:
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        raise CasebookError(
            "bad_record", f"{code!r} is not the code of a country.", "Write its two letters, like KE or DK."
        )
    return code.upper()
