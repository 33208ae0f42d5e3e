"""One request split as the channel wants it: nothing lost, nothing doubled, in order, and each part fits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.packets import facts
from desktop.packets.addresses import host_of
from desktop.packets.batches import split
from desktop.packets.complete import assess
from desktop.packets.facts import Channel
from desktop.packets.request import Request, RequestItem, RequestSighting, from_json, to_json
from tests.unit.packet_requests import full_request

FACTS = facts.load()
X, CLOUDFLARE = FACTS.platforms["x"], FACTS.platforms["cloudflare"]


def channel(batch: str, most: int | None) -> Channel:
    return replace(X.channels[0], batch=batch, batch_max=most)


def request(urls: Sequence[str], items: int = 1, of: Sequence[int | None] = ()) -> Request:
    base = full_request(FACTS, "us_tida", "x")
    seen = [
        replace(base.sightings[0], url=url, note=str(n), item=of[n] if of else 1 if items else None)
        for n, url in enumerate(urls)
    ]
    made = [replace(base.items[0], id=n, identification=f"picture {n}") for n in range(1, items + 1)]
    return replace(base, items=tuple(made), sightings=tuple(seen))


def urls(count: int, host: str = "x.com") -> list[str]:
    return [f"https://{host}/example/status/{n}" for n in range(count)]


def test_forty_reports_where_one_takes_one() -> None:
    parts = split(request(urls(40)), X, channel("one", 1))
    assert [len(p.sightings) for p in parts] == [1] * 40
    assert [p.sightings[0].note for p in parts] == [str(n) for n in range(40)]
    assert all(assess(replace(p, channel="take_it_down"), FACTS).complete for p in parts[:3])


def test_lists_of_one_website_of_at_most_250() -> None:
    mixed = [url for pair in zip(urls(300, "a.example"), urls(300, "B.example:443"), strict=True) for url in pair]
    parts = split(request(mixed), CLOUDFLARE, CLOUDFLARE.channels[0])
    assert [(host_of(p.sightings[0].url), len(p.sightings)) for p in parts] == [
        ("a.example", 250),
        ("a.example", 50),
        ("b.example", 250),
        ("b.example", 50),
    ]
    assert {(p.platform, p.channel) for p in parts} == {("cloudflare", "ncsei")}


def test_what_fits_is_one_part() -> None:
    whole = replace(request(urls(40)), channel="take_it_down")
    assert split(whole, X, channel("urls", None)) == (whole,)
    assert split(whole, X, channel("urls", 40)) == (whole,)
    assert len(split(whole, X, channel("urls", 39))) == 2
    empty = replace(whole, sightings=())
    assert split(empty, X, channel("urls", 1)) == (empty,)


def test_each_part_has_the_items_of_its_sightings() -> None:
    parts = split(request(urls(4), items=3, of=[1, 3, 1, 2]), X, channel("one", 1))
    assert [[i.id for i in p.items] for p in parts] == [[1], [3], [1], [2]]
    both = split(request(urls(4), items=3, of=[1, 3, 1, 2]), X, channel("urls", 2))
    assert [[i.id for i in p.items] for p in both] == [[1, 3], [1, 2]]


def test_a_sighting_that_names_no_item_keeps_what_it_can_be_of() -> None:
    parts = split(request(urls(2), items=3, of=[1, None]), X, channel("one", 1))
    assert [[i.id for i in p.items] for p in parts] == [[1], [2, 3]]
    parts = split(request(urls(2), items=1, of=[1, None]), X, channel("one", 1))
    assert [[i.id for i in p.items] for p in parts] == [[1], [1]]


def test_an_item_that_was_seen_nowhere_is_not_lost() -> None:
    seen = request(urls(2), items=3, of=[1, 1])
    parts = split(seen, X, channel("one", 1))
    assert [([i.id for i in p.items], len(p.sightings)) for p in parts] == [([1], 1), ([1], 1), ([2], 0), ([3], 0)]
    parts = split(seen, X, channel("urls", 1))
    assert [[i.id for i in p.items] for p in parts] == [[1], [1, 2, 3]]
    nowhere = replace(seen, sightings=())
    assert [[i.id for i in p.items] for p in split(nowhere, X, channel("one", 1))] == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://X.com/a", "x.com"),
        ("x.com/a", "x.com"),
        ("https://user@x.com:8443/a", "x.com"),
        ("https://x.com./a", "x.com"),
        ("http://192.0.2.1/a", "192.0.2.1"),
        ("http://192.0.2.2/a", "192.0.2.2"),
        ("https://пример.рф/a", "пример.рф"),
        ("https://sub.x.com/a", "sub.x.com"),
        ("", ""),
    ],
)
def test_host_names(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(("batch", "most"), [("one", 1), ("urls", 250), ("urls_one_host", 250)])
def test_20000_sightings_in_under_a_second(batch: str, most: int) -> None:
    many = request([f"https://h{n % 7}.example/{n}" for n in range(20_000)], items=50, of=[None] * 20_000)
    started = time.process_time()
    parts = split(many, X, channel(batch, most))
    took = time.process_time() - started
    assert sum(len(p.sightings) for p in parts) == 20_000
    assert took < 1  # about 0.15 s here


SIGHTINGS = st.lists(
    st.builds(
        RequestSighting,
        item=st.none() | st.integers(1, 4),
        url=st.sampled_from(["", "https://a.example/1", "https://A.example/2", "https://b.example/1", "c.example/x"]),
        note=st.text("ab", max_size=3),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(SIGHTINGS, st.integers(0, 4), st.sampled_from(["one", "urls", "urls_one_host"]), st.none() | st.integers(1, 5))
def test_nothing_is_lost_nothing_doubled_and_each_part_fits(
    sightings: list[RequestSighting], count: int, batch: str, most: int | None
) -> None:
    items = tuple(RequestItem(id=n) for n in range(1, count + 1))
    known = [replace(s, item=s.item if s.item and s.item <= count else None) for s in sightings]
    # Numbers, so that two that look the same can be told apart.
    numbered = tuple(replace(s, note=f"{n} {s.note}") for n, s in enumerate(known))
    whole = replace(Request(), items=items, sightings=numbered)
    wanted = channel(batch, 1 if batch == "one" else most)
    parts = split(whole, X, wanted)
    assert Counter(s for p in parts for s in p.sightings) == Counter(numbered)
    assert {i.id for p in parts for i in p.items} == {i.id for i in items}
    for part in parts:
        order = [numbered.index(s) for s in part.sightings]
        assert order == sorted(order)
        assert len(order) <= (1 if batch == "one" else most or len(numbered))
        assert batch != "urls_one_host" or len({host_of(s.url) for s in part.sightings}) <= 1
        assert {s.item for s in part.sightings if s.item} <= {i.id for i in part.items}
        assert from_json(to_json(part)) == part
        assert replace(part, items=(), sightings=(), platform="", channel="") == Request()
    if batch != "urls_one_host":
        assert [s for p in parts for s in p.sightings] == list(numbered)
