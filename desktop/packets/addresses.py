"""What is weak about the addresses in a request: a profile instead of a post, a short link, another website."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from desktop.packets import facts as _facts

if TYPE_CHECKING:
    from desktop.packets.facts import Channel, Facts, Platform
    from desktop.packets.request import Request, RequestSighting

# Those that hold what people post: a request to one of them is about addresses on it.
HOLD_POSTS = ("platform", "messenger", "adult", "model_host", "code_host", "instance", "aggregator")

_SHORT = frozenset(
    (
        "bit.ly", "buff.ly", "cutt.ly", "fb.me", "goo.gl", "is.gd", "lnkd.in", "ow.ly", "pin.it", "rb.gy",
        "rebrand.ly", "redd.it", "shorturl.at", "t.co", "t.ly", "tiny.cc", "tinyurl.com", "v.gd", "vm.tiktok.com",
        "vt.tiktok.com",
    )
)  # fmt: skip
_WEB = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://([^\s/?#\\@]+)(?=[/?#]|$)\S*")
_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?([^/?#\\]*)")
_PORT = re.compile(r":\d*$")
_LOOKS_LIKE_ONE = re.compile(r"(?:[^\s/?#\\@:.]+\.)+[^\s/?#\\@:.\d]{2,}(?::\d+)?(?:[/?#]\S*)?")
# In this order: the first that fits is said.
_SAYS = {
    "no_scheme": (
        ("does not begin with https://", "do not begin with https://"),
        "Open the page, and copy the whole address from the top of the browser.",
    ),
    "not_web": (
        ("is not the address of a web page", "are not addresses of web pages"),
        "Open the page, and copy the whole address from the top of the browser.",
    ),
    "short": (
        ("is a short link, which can stop working", "are short links, which can stop working"),
        "Open it, and copy the address that the browser then shows.",
    ),
    "profile": (
        ("leads to a profile, not to a post", "lead to profiles, not to posts"),
        "Open the post and copy its address.",
    ),
    "search": (
        ("leads to a search, not to a post", "lead to searches, not to posts"),
        "Open the post and copy its address.",
    ),
    "home": (
        ("leads to a start page, not to a post", "lead to start pages, not to posts"),
        "Open the post or page where it is, and copy its address.",
    ),
    "elsewhere": (
        ("is not on {platform}", "are not on {platform}"),
        "Make a request of its own to that website, or choose it as the one to ask.",
    ),
    "twice": (("is there twice", "are there twice"), "Take one of the two out."),
}


def locatable(sighting: RequestSighting) -> bool:
    """Whether the recipient can find it: by an address, or by the account and when it was posted."""
    return bool(sighting.url.strip() or (sighting.handle.strip() and sighting.posted_at))


def host_of(url: str) -> str:
    """The host name of the address as it stands there, lower-case and without a port; empty where there is none."""
    authority = _AUTHORITY.match(url.strip())
    host = authority[1].rpartition("@")[2] if authority else ""
    return _PORT.sub("", host).rstrip(".").lower()


def weaknesses(
    request: Request, facts: Facts, platform: Platform, channel: Channel | None
) -> tuple[tuple[str, str], ...]:
    """What is weak, as pairs of what is wrong and what to do, both in plain words."""
    found: dict[str, list[int]] = {}
    no_address: list[int] = []
    lost: list[int] = []
    seen: set[str] = set()
    for number, sighting in enumerate(request.sightings, 1):
        url = sighting.url.strip()
        if not url:
            (no_address if locatable(sighting) else lost).append(number)
            continue
        kind = "twice" if url in seen else _kind(url, facts, platform)
        seen.add(url)
        if kind:
            found.setdefault(kind, []).append(number)
    total = len(request.sightings)
    says = []
    for kind, ((one, more), remedy) in _SAYS.items():
        if numbers := found.get(kind):
            text = (one if len(numbers) == 1 else more).format(platform=platform.name)
            says.append((f"{_subject(numbers, total, 'address', 'addresses')} {text}.", remedy))
    if no_address:
        has = "has" if len(no_address) == 1 else "have"
        says.append(
            (
                f"{_subject(no_address, total, 'sighting', 'sightings')} {has} no address, only an account and a date.",
                "If there is a way to copy a link to the post or message, add it.",
            )
        )
    if lost:
        gives = "gives" if len(lost) == 1 else "give"
        says.append(
            (
                f"{_subject(lost, total, 'sighting', 'sightings')} {gives} nothing by which it could be found.",
                "Add its address, or the account and when it was posted.",
            )
        )
    return (*says, *_unseen(request), *_too_many(request, channel))


def _kind(url: str, facts: Facts, platform: Platform) -> str:
    web = _WEB.fullmatch(url)
    if web is None:
        return "no_scheme" if _LOOKS_LIKE_ONE.fullmatch(url) else "not_web"
    host = host_of(url)
    if "." not in web[1] and not web[1].startswith("["):
        return "not_web"
    if host.removeprefix("www.") in _SHORT:
        return "short"
    on = facts.platform_for(url)
    kind = facts.url_kind(on, url) if on else None
    if kind in ("profile", "search", "home"):
        return kind
    if kind is None and platform.kind != "registrar" and not _facts.split_url(url)[1].strip("/"):
        return "home"
    if platform.kind in HOLD_POSTS and platform.hosts and (on is None or on.id != platform.id):
        return "elsewhere"
    return ""


def _unseen(request: Request) -> list[tuple[str, str]]:
    """Pictures that no sighting is of, where there are several and the sightings say which they are of."""
    shown = {s.item for s in request.sightings}
    unseen = [i.id for i in request.items if i.id not in shown]
    if len(request.items) < 2 or not unseen or shown <= {None}:
        return []
    text = "is not among the sightings" if len(unseen) == 1 else "are not among the sightings"
    subject = _subject(unseen, len(request.items), "picture", "pictures")
    return [(f"{subject} {text}.", "Say where it was seen, or take it out of this request.")]


def _too_many(request: Request, channel: Channel | None) -> list[tuple[str, str]]:
    urls = [s.url for s in request.sightings if s.url]
    if channel is None or len(urls) < 2:
        return []
    if channel.batch == "one":
        remedy = f"They become {len(urls)} reports. Each is the same but for the address."
        return [(f"One report takes one address here, and there are {len(urls)}.", remedy)]
    hosts = len({host_of(url) for url in urls})
    if channel.batch == "urls_one_host" and hosts > 1:
        remedy = "They become one report for each website."
        return [(f"One report takes the addresses of one website here, and there are {hosts} websites.", remedy)]
    if channel.batch_max is not None and len(urls) > channel.batch_max:
        remedy = f"They become {-(-len(urls) // channel.batch_max)} reports."
        return [(f"One report takes {channel.batch_max} addresses here, and there are {len(urls)}.", remedy)]
    return []


def _subject(numbers: Sequence[int], total: int, one: str, more: str) -> str:
    if total == 1:
        return f"The {one}"
    if len(numbers) == 1:
        return f"{one.capitalize()} {numbers[0]}"
    if len(numbers) <= 4:
        return f"{more.capitalize()} {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    return f"{len(numbers)} of the {total} {more} ({', '.join(map(str, numbers[:3]))} …)"
