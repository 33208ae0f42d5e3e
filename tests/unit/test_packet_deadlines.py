"""Until when: hours that pass, days and months of the law's own calendar, and none where none is named."""

from __future__ import annotations

import datetime
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.packets import facts
from desktop.packets.deadlines import due
from desktop.packets.facts import Channel, Confidence, Deadline, Law
from detectors.errors import CounterproofError

FACTS = facts.load()
UTC = datetime.UTC
TIMES = st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2060, 1, 1), timezones=st.just(UTC))


def law(zone: str, hours: int = 0, days: int = 0, months: int = 0) -> Law:
    limit = Deadline(hours, days, months, "it is received", "in words", Confidence.SECONDARY)
    return replace(FACTS.laws["us_tida"], time_zone=zone, deadline=limit)


def channel(hours: int | None) -> Channel:
    return replace(FACTS.platforms["x"].channels[0], deadline_hours=hours)


def at(text: str, zone: str = "UTC") -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def ends(of: Law, sent: datetime.datetime) -> datetime.datetime:
    found = due(of, None, sent)
    assert found is not None
    assert found.at.utcoffset() is not None
    assert found.time_zone == of.time_zone
    return found.at


def test_the_real_laws() -> None:
    sent = at("2026-11-28T12:00:00")
    found = due(FACTS.laws["us_tida"], None, sent)
    assert found is not None
    assert found.at == at("2026-11-30T12:00:00")
    assert (found.basis, found.time_zone, found.whole_days) == ("law", "America/New_York", False)
    assert found.confidence is FACTS.laws["us_tida"].deadline.confidence  # type: ignore[union-attr]
    assert due(FACTS.laws["eu_dsa_16"], None, sent) is None
    named = [x for x in FACTS.laws.values() if x.deadline]
    assert len(named) >= 5
    assert all((found := due(x, None, sent)) and found.at > sent and found.basis == "law" for x in named)


def test_a_limit_of_the_platform_alone() -> None:
    found = due(None, channel(48), at("2026-11-28T12:00:00", "Africa/Nairobi"))
    assert found is not None
    assert (found.basis, found.words) == ("platform", "48 hours")
    assert found.at == at("2026-11-30T12:00:00", "Africa/Nairobi")


def test_the_law_goes_before_the_platform() -> None:
    found = due(law("UTC", hours=72), channel(24), at("2026-11-28T12:00:00"))
    assert found is not None
    assert (found.basis, found.at) == ("law", at("2026-12-01T12:00:00"))


def test_none_where_none_is_named() -> None:
    sent = at("2026-11-28T12:00:00")
    assert due(None, None, sent) is None
    assert due(None, channel(None), sent) is None
    assert due(replace(law("UTC", hours=1), deadline=None), channel(None), sent) is None


# When it was sent by the clock there, and when it is due by the same clock.
HOURS = [
    ("America/New_York", "2026-03-07T12:00:00", "2026-03-09T13:00:00"),  # one hour of the night was left out
    ("America/New_York", "2026-10-31T12:00:00", "2026-11-02T11:00:00"),  # one hour came twice
    ("Europe/London", "2026-03-28T09:00:00", "2026-03-30T10:00:00"),
    ("Asia/Kolkata", "2028-02-28T09:00:00", "2028-03-01T09:00:00"),  # through the 29th of February
    ("Africa/Nairobi", "2026-12-31T09:00:00", "2027-01-02T09:00:00"),
]


@pytest.mark.parametrize(("zone", "sent", "until"), HOURS)
def test_hours_pass_whatever_the_clocks_do(zone: str, sent: str, until: str) -> None:
    assert ends(law(zone, hours=48), at(sent, zone)) == at(until, zone)


DAYS = [
    # An instant at which it is already the next day there: the day of sending is that of the law's zone.
    ("Asia/Seoul", 1, "2026-11-28T20:00:00+00:00", "2026-12-01T00:00:00"),
    ("America/New_York", 30, "2026-11-28T12:00:00+00:00", "2026-12-29T00:00:00"),
    ("Europe/Brussels", 1, "2028-02-28T12:00:00+01:00", "2028-03-01T00:00:00"),
    ("Europe/Brussels", 7, "2026-03-26T12:00:00+01:00", "2026-04-03T00:00:00"),
]


@pytest.mark.parametrize(("zone", "days", "sent", "until"), DAYS)
def test_days_end_at_midnight_in_the_zone_of_the_law(zone: str, days: int, sent: str, until: str) -> None:
    found = due(law(zone, days=days), None, datetime.datetime.fromisoformat(sent))
    assert found is not None
    assert found.at == at(until, zone)
    assert found.whole_days


def test_a_midnight_that_the_clocks_leave_out() -> None:
    # In Santiago 24:00 of 5 September 2026 is 1:00 of the 6th, which is 4:00 in Greenwich.
    assert ends(law("America/Santiago", days=1), at("2026-09-04T12:00:00", "America/Santiago")).astimezone(UTC) == at(
        "2026-09-06T04:00:00"
    )


MONTHS = [
    (1, "2026-11-27T12:00:00", "2026-12-28"),  # the 27th is a Sunday: until the end of Monday
    (1, "2026-11-28T12:00:00", "2026-12-28"),
    (1, "2026-01-31T12:00:00", "2026-03-02"),  # no 31st; the 28th of February is a Saturday
    (1, "2027-12-31T12:00:00", "2028-01-31"),
    (1, "2028-01-31T12:00:00", "2028-02-29"),
    (3, "2026-11-30T12:00:00", "2027-03-01"),  # the 28th of February is a Sunday
    (2, "2026-12-15T12:00:00", "2027-02-15"),
    (12, "2028-02-29T12:00:00", "2029-02-28"),
]


@pytest.mark.parametrize(("months", "sent", "last"), MONTHS)
def test_months_by_the_calendar(months: int, sent: str, last: str) -> None:
    found = ends(law("Europe/Brussels", months=months), at(sent, "Europe/Brussels"))
    day_after = datetime.date.fromisoformat(last) + datetime.timedelta(days=1)
    assert found == at(f"{day_after}T00:00:00", "Europe/Brussels")


@settings(max_examples=200, deadline=None)
@given(TIMES, st.integers(1, 24), st.sampled_from(["Europe/Brussels", "Pacific/Auckland", "America/Santiago", "UTC"]))
def test_a_month_is_never_short_and_never_ends_on_a_weekend(sent: datetime.datetime, months: int, zone: str) -> None:
    found = ends(law(zone, months=months), sent)
    last = found.astimezone(ZoneInfo(zone)).date() - datetime.timedelta(days=1)
    days = (last - sent.astimezone(ZoneInfo(zone)).date()).days
    assert 28 * months <= days <= 31 * months + 2
    assert last.weekday() < 5


@settings(max_examples=200, deadline=None)
@given(TIMES, st.integers(1, 999), st.sampled_from(["Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]))
def test_hours_are_hours(sent: datetime.datetime, hours: int, zone: str) -> None:
    assert ends(law(zone, hours=hours), sent).astimezone(UTC) - sent == datetime.timedelta(hours=hours)


@settings(max_examples=200, deadline=None)
@given(TIMES, st.integers(1, 400), st.sampled_from(["Asia/Seoul", "America/Santiago", "Africa/Cairo"]))
def test_days_are_at_least_as_many_and_not_one_more(sent: datetime.datetime, days: int, zone: str) -> None:
    passed = ends(law(zone, days=days), sent).astimezone(UTC) - sent
    hour = datetime.timedelta(hours=1)
    assert datetime.timedelta(days=days) - hour <= passed <= datetime.timedelta(days=days + 1) + hour


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_not_known_is_an_error(zone: str) -> None:
    with pytest.raises(CounterproofError) as caught:
        due(law(zone, days=1), None, at("2026-11-28T12:00:00"))
    assert caught.value.code == "unknown_time_zone"
    assert caught.value.remedy


def test_a_time_without_an_offset_is_an_error() -> None:
    with pytest.raises(ValueError, match="offset"):
        due(law("UTC", days=1), None, datetime.datetime(2026, 11, 28))
