"""One request about many places, split into as many as the recipient's channel wants."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from desktop.packets.addresses import host_of

if TYPE_CHECKING:
    from desktop.packets.facts import Channel, Platform
    from desktop.packets.request import Request, RequestItem, RequestSighting


def split(request: Request, platform: Platform, channel: Channel) -> tuple[Request, ...]:
    """The request in parts that each fit one report through the channel; a request that fits is the only part.

    Each part names the platform and the channel and keeps all but the items and sightings, which are shared out:
    every sighting is in exactly one part, in the order in which they were, and with it the items that it is of. With
    `batch` one, a part has one sighting; with urls at most `batch_max`; with urls_one_host the same, of one host name.
    An item that was seen nowhere is in a part of its own (one) or in the last.
    """
    base = replace(request, platform=platform.id, channel=channel.id)
    groups = _groups(request.sightings, channel)
    known = {item.id: item for item in request.items}
    shown = {s.item for s in request.sightings}
    unseen = tuple(item for item in request.items if item.id not in shown)
    # What a sighting is of when it does not say so: of those that no other sighting is of, else of any.
    unsaid = unseen or request.items
    parts = [replace(base, items=_of(group, known, unsaid), sightings=tuple(group)) for group in groups]
    if unseen and None not in shown:
        if channel.batch == "one":
            parts += [replace(base, items=(item,), sightings=()) for item in unseen]
        elif parts:
            parts[-1] = replace(parts[-1], items=(*parts[-1].items, *unseen))
    return tuple(parts) or (base,)


def _groups(sightings: Sequence[RequestSighting], channel: Channel) -> list[Sequence[RequestSighting]]:
    if channel.batch == "one":
        return [(s,) for s in sightings]
    groups: Iterable[Sequence[RequestSighting]] = [sightings] if sightings else []
    if channel.batch == "urls_one_host":
        by_host: dict[str, list[RequestSighting]] = {}
        for s in sightings:
            by_host.setdefault(host_of(s.url), []).append(s)
        groups = list(by_host.values())
    return [part for group in groups for part in _at_most(group, channel.batch_max)]


def _at_most(group: Sequence[RequestSighting], most: int | None) -> Iterable[Sequence[RequestSighting]]:
    step = most or len(group)
    return (group[start : start + step] for start in range(0, len(group), step))


def _of(
    group: Sequence[RequestSighting], known: dict[int, RequestItem], unsaid: tuple[RequestItem, ...]
) -> tuple[RequestItem, ...]:
    named = dict.fromkeys(s.item for s in group)
    items = tuple(known[id] for id in named if id is not None)
    if None not in named:
        return items
    return unsaid if not items else tuple({i.id: i for i in itertools.chain(items, unsaid)}.values())
