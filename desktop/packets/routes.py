"""Which ways there are to have it taken down, in the order in which to try them, and why; and which not to take."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from desktop.packets.addresses import HOLD_POSTS, host_of
from desktop.packets.complete import (
    SERVICES,
    Assessment,
    all_real,
    assess,
    can_be_sent,
    channel_for,
    day_of,
    fits,
    gate,
)
from desktop.packets.facts import CHECK, EVERYWHERE, Channel, Facts, Law, Platform, countries_of, country_name
from desktop.packets.request import Include, Request, RequestSighting
from desktop.safety import helplines as _helplines
from desktop.safety.helplines import Confidence, Helpline, Who

_OWN = ("intimate", "regional", "privacy", "abuse")
_AUTHORITIES = ("regulator", "support")
# Behind a website that is no platform of its own, or does not answer, stand those that carry it.
_CARRIERS = ("host", "cdn", "registrar")
_CARRIED = ("adult", "aggregator", "instance")
_CHILD_SAFETY = "child_safety"
_NOT_COSTS = ("warning", "more_than_needed", "hashes_left_out")
_GENERIC = "other_platform"
_ENOUGH = 100
_NAMED = 3  # websites that are named; the others are counted


@dataclass(frozen=True, slots=True)
class Route:
    """One way. `kind` is platform, law, search, host, hash_programme, police, court, regulator, support, child_safety
    or question (something must be answered first).

    The ids are empty where there is none, `helpline` is the name of one. `why`, `costs` (what it costs the sender) and
    `doubts` (what to check before sending) are sentences, `missing` the ids of elements that the request still lacks on
    this way, `due` until when there must be an answer, in words. With `refused`, the way is not to be taken, and that
    is the reason.
    """

    kind: str
    law_id: str = ""
    platform_id: str = ""
    channel_id: str = ""
    helpline: str = ""
    title: str = ""
    why: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    due: str = ""
    refused: str = ""


def routes(request: Request, facts: Facts, helplines: Iterable[Helpline] | None = None) -> tuple[Route, ...]:
    """The ways for this request, the best first, and after them those that are refused, with the reason.

    The order: the platform’s own way for intimate images, the law that fits, search engines, host and CDN, fingerprints
    (StopNCII), police and court, regulator, helplines. Where somebody may be under 18 there is no packet: then only the
    platforms’ ways for that, and the hotlines. `helplines` are those to choose from; without, those of the facts, with
    what was added by hand. Raises as `assess`.
    """
    country = request.depicted.country or request.sender.country
    minors = request.gate.age in ("minor", "unsure")
    if helplines is None:
        helplines = facts.helplines.values() or _helplines.load()
    turn_to = _helplines.suited(helplines, country, minors)
    finder = _Finder(replace(request, include=Include()), facts)
    if minors:
        ways = tuple(finder.for_minors())
        return (*ways, *_not_among(ways, turn_to, facts))
    if refusals := gate(request):
        first = (Route("question", title=r.says, why=(r.remedy,), refused=r.says) for r in refusals)
        return (*first, *(map(_helped_by, turn_to) if request.gate.age else ()))
    found = finder.for_adults()
    good = [r for r in found if not r.refused]
    return (*good, *_not_among(good, turn_to, facts), *(r for r in found if r.refused))


def _not_among(ways: Iterable[Route], helplines: Iterable[Helpline], facts: Facts) -> Iterable[Route]:
    """The helplines that are not there already as a platform: the name or the website is the same."""
    names, hosts = set(), set()
    for route in ways:
        platform = facts.platforms[route.platform_id]
        names.add(platform.name)
        hosts |= {_site(c.address) for c in platform.channels if c.address}
    return (_helped_by(h) for h in helplines if h.name not in names and not (h.web and _site(h.web) in hosts))


def _site(address: str) -> str:
    return host_of(address).removeprefix("www.")


def _helped_by(h: Helpline) -> Route:
    return Route(
        _CHILD_SAFETY if h.who is Who.MINORS else "support",
        helpline=h.name,
        title=h.lines()[0],
        why=(h.says,),
        doubts=tuple(filter(None, [h.doubt()])),
    )


class _Finder:
    """The routes of one request. Each is assessed as the request would be if it took that way."""

    def __init__(self, request: Request, facts: Facts) -> None:
        self.request = request
        self.facts = facts
        self.country = request.depicted.country
        self.day = day_of(request)
        self.laws = tuple(facts.laws.values())
        self.platforms = tuple(facts.platforms.values())
        self._known: dict[tuple[str, str], Platform | None] = {}
        # Each place is looked up once, and not for each way: there can be thousands.
        self._there = [(s, self._where(s.url, s.platform)) for s in request.sightings]
        self.targets = self._targets()

    def _targets(self) -> tuple[Platform, ...]:
        """Where it was seen, in that order; a website that is no platform here counts as the general one."""
        found: dict[str, Platform] = {}
        chosen = self.facts.platform(self.request.platform) if self.request.platform else None
        if chosen and chosen.kind in HOLD_POSTS:
            found[chosen.id] = chosen
        for _, on in self._there:
            if on and on.kind in HOLD_POSTS:
                found.setdefault(on.id, on)
        general = self.facts.platforms.get(_GENERIC)
        return tuple(found.values()) or ((general,) if general else ())

    def _where(self, url: str, name: str) -> Platform | None:
        """The platform of an address; where there is none, as in a messenger, the one of that name."""
        if (url, name) not in self._known:
            self._known[url, name] = self._look_up(url, name)
        return self._known[url, name]

    def _look_up(self, url: str, name: str) -> Platform | None:
        if url.strip():
            return self.facts.platform_for(url) or self.facts.platforms.get(_GENERIC)
        wanted = name.strip().casefold()
        named = next((p for p in self.platforms if wanted in (p.id, p.name.casefold())), None)
        return named or (self.facts.platforms.get(_GENERIC) if wanted else None)

    # --- Where somebody may be under 18.

    def for_minors(self) -> Iterable[Route]:
        """The platforms’ ways for pictures of people under 18. There is no packet for them."""
        programmes = [p for p in self.platforms if p.kind == "hash_programme"]
        for platform in (*self.targets, *programmes):
            for channel in platform.channels:
                if channel.purpose == _CHILD_SAFETY and fits(channel, "", self.country):
                    why = tuple(filter(None, [channel.says or platform.says, channel.address, *channel.steps]))
                    unused = ("stopncii", "take_it_down", "laws")
                    doubts = (*platform.doubts(unused), *channel.doubts(without=("batch", "laws")))
                    yield Route(
                        _CHILD_SAFETY,
                        platform_id=platform.id,
                        channel_id=channel.id,
                        title=f"{platform.name}: {channel.name}",
                        why=why,
                        doubts=tuple(dict.fromkeys(doubts)),
                    )

    # --- Where all are adults.

    def for_adults(self) -> tuple[Route, ...]:
        found: dict[tuple[str, str, str], Route] = {}
        for route in self._all():
            found.setdefault((route.platform_id, route.channel_id, route.law_id), route)
        return tuple(found.values())

    def _all(self) -> Iterable[Route]:
        by_platform = [tuple(self._own(platform)) for platform in self.targets]
        # The best way on each platform comes before the second best on any.
        own = [route for rank in itertools.zip_longest(*by_platform) for route in rank if route]
        statutes = [route for platform in self.targets for route in self._statutes(platform, own)]
        statutes += self._authorities()
        yield from own
        yield from statutes
        yield from self._search()
        yield from self._carriers()
        yield from self._programmes()
        yield from self._police_and_court()
        yield from self._regulators([*own, *statutes])
        yield from self._copyright()
        yield from self._chosen()

    def _own(self, platform: Platform) -> Iterable[Route]:
        """All of the platform’s ways for intimate images that are for her country; where it has none, the next best."""
        ways = [c for c in platform.channels if c.purpose in _OWN and fits(c, "", self.country)]
        ways.sort(key=lambda c: (not fits(c, self.request.sender.role, ""), _OWN.index(c.purpose)))
        best = [c for c in ways if c.purpose in ("intimate", "regional")] or ways[:1]
        for channel in best:
            yield self._route("platform", platform, channel, None)

    def _statutes(self, platform: Platform, own: Iterable[Route]) -> Iterable[Route]:
        covered = {r.law_id for r in own if r.platform_id == platform.id}
        for law in sorted(self.laws, key=lambda law: _rank(law, self._hers(law) or law.id in platform.laws)):
            if law.addressed_to not in ("platform", "controller") or law.offer == "only_if_asked" or law.id in covered:
                continue
            named = law.id in platform.laws
            open_to_all = law.link == "platform_serves" and law.in_force(self.day) and platform.kind != "aggregator"
            if (self._hers(law) or open_to_all) and (named or not law.binds or platform.kind in law.binds):
                yield self._route("law", platform, None, law)

    def _authorities(self) -> Iterable[Route]:
        """Offices that have it taken down for her: under a law of her country, and those that her country has."""
        for law in self.laws:
            if law.addressed_to in _AUTHORITIES and self._hers(law):
                for platform in self.platforms:
                    if platform.kind in _AUTHORITIES and law.id in _laws_of(platform) and self._for_her(platform):
                        yield self._route(platform.kind, platform, None, law)
        for platform in self.platforms:
            if platform.kind == "support" and self.country in countries_of(platform.countries):
                yield self._route("support", platform, None, None)

    def _search(self) -> Iterable[Route]:
        erasure = [law for law in self.laws if law.addressed_to == "controller" and self._hers(law)]
        where = country_name(self.country)
        more = [f"In {where}, {law.called} gives a right to erasure against search engines too." for law in erasure[:1]]
        for platform in sorted(self.platforms, key=lambda p: list(Confidence).index(p.confidence)):
            if platform.kind == "search":
                why = "It takes the page out of what people find. It does not delete it."
                bound = [law for law in self.laws if self._binds(law, platform)]
                duty = [f"In {where}, {law.called} obliges search engines too." for law in bound]
                yield self._route("search", platform, None, None, why, *duty, *more)

    def _carriers(self) -> Iterable[Route]:
        if not any(map(_is_carried, self.targets)):
            return
        for kind in _CARRIERS:
            for platform in self.platforms:
                if platform.kind == kind:
                    law = next(filter(lambda law: self._binds(law, platform), self.laws), None)
                    yield self._route("host", platform, None, law)

    def _binds(self, law: Law, platform: Platform) -> bool:
        """Whether a law of her country, made for this, obliges such a service today."""
        made_for_it = law.addressed_to == "platform" and law.offer == "normal" and platform.kind in law.binds
        return made_for_it and self._hers(law) and law.in_force(self.day)

    def _programmes(self) -> Iterable[Route]:
        for platform in self.platforms:
            if platform.kind == "hash_programme" and self._for_her(platform):
                channel = channel_for(platform, None, self.request.sender.role, self.country)
                if channel.purpose != _CHILD_SAFETY:
                    yield self._route("hash_programme", platform, channel, None, *_take_part(self.targets))

    def _police_and_court(self) -> Iterable[Route]:
        reported = False
        for kind in ("police", "court"):
            for law in self.laws:
                if law.addressed_to == kind and self._hers(law):
                    platform = self._office(kind, law)
                    if platform is not None:
                        route = self._route(kind, platform, None, law)
                        reported = reported or (kind == "police" and not route.refused)
                        yield route
            if kind == "police" and not reported and (platform := self._office(kind, None)):
                yield self._route(kind, platform, None, None)

    def _regulators(self, taken: Iterable[Route]) -> Iterable[Route]:
        """Those to turn to when a platform does not answer, or refuses: as the laws on the way so far say."""
        steps: dict[str, list[str]] = {}
        for law_id in dict.fromkeys(r.law_id for r in taken if r.law_id and not r.refused):
            for step in self.facts.laws[law_id].next:
                platform = self.facts.platforms[step.platform]
                if platform.kind == "regulator":
                    steps.setdefault(platform.id, []).append(step.says)
        for platform in self.platforms:
            if platform.kind == "regulator" and self.country in countries_of(platform.countries):
                steps.setdefault(platform.id, [])
        for id, says in steps.items():
            yield self._route("regulator", self.facts.platforms[id], None, None, *dict.fromkeys(says))

    def _copyright(self) -> Iterable[Route]:
        """Shown with the reason why not: it is taken only where it was chosen by hand."""
        statements = replace(self.request.statements, ownership=False)
        not_hers = copy.copy(self)
        not_hers.request = replace(self.request, statements=statements)
        for law in self.laws:
            if law.offer == "only_if_asked" and law.id != self.request.law:
                for platform in self.targets[:1]:
                    if can_be_sent(law, platform):
                        yield not_hers._route("law", platform, None, law)

    def _chosen(self) -> Iterable[Route]:
        """The way that was chosen by hand, where it is none of those above."""
        if self.request.law or self.request.platform:
            assessment = assess(self.request, self.facts)
            yield self._from(assessment, _kind(assessment.platform, assessment.law), self.request.law)

    # --- What fits her.

    def _hers(self, law: Law) -> bool:
        return bool(self.country) and bool(countries_of(law.countries) & {self.country, EVERYWHERE})

    def _for_her(self, platform: Platform) -> bool:
        return not self.country or bool(countries_of(platform.countries) & {self.country, EVERYWHERE})

    def _office(self, kind: str, law: Law | None) -> Platform | None:
        """The office of her own country before the one that stands for all."""
        offices = [p for p in self.platforms if p.kind == kind and self._for_her(p)]
        known = [p for p in offices if self.country or EVERYWHERE in p.countries]
        named = [p for p in known if law and law.id in _laws_of(p)]
        return min(named or known, key=lambda p: EVERYWHERE in p.countries, default=None)

    # --- One route.

    def _route(self, kind: str, platform: Platform, channel: Channel | None, law: Law | None, *why: str) -> Route:
        sender = self.request.sender
        chosen = channel or channel_for(platform, law, sender.role, self.country)
        request = replace(self._about(platform), platform=platform.id, channel=chosen.id, law=law.id if law else "")
        return self._from(assess(request, self.facts), kind, law.id if law else "", *why)

    def _about(self, platform: Platform) -> Request:
        return replace(self.request, sightings=_a_few(self.on(platform)))

    def on(self, platform: Platform) -> list[RequestSighting]:
        """Those that a request to it is about: on that platform, where it holds posts; on websites that are carried,
        where it carries them; else all, and all where there is none such."""
        on: list[RequestSighting] = []
        if platform.kind in HOLD_POSTS:
            on = self._at(platform)
        elif platform.kind in _CARRIERS:
            on = [s for s, there in self._there if there is None or _is_carried(there)]
        return on or list(self.request.sightings)

    def _at(self, platform: Platform) -> list[RequestSighting]:
        return [s for s, there in self._there if there is platform]

    def _from(self, assessment: Assessment, kind: str, by_hand: str, *why: str) -> Route:
        law, platform, channel = assessment.law, assessment.platform, assessment.channel
        refusals = [r for r in assessment.refusals if r.code not in ("image_not_here",)]
        refused = " ".join(r.says for r in refusals)
        if law is not None and law.offer == "with_lawyer" and not refused:
            refused = f"{law.called}: only with a lawyer who knows the law there. It can be turned against who reports."
        return Route(
            kind,
            law_id=law.id if law else "",
            platform_id=platform.id,
            channel_id=channel.id,
            title=_title(platform, channel, law if by_hand else None),
            why=tuple(
                dict.fromkeys(
                    (*self._where_there(platform), *_not_for(assessment), *why, *self._why(law, platform, channel))
                )
            ),
            costs=tuple(
                dict.fromkeys(_cost(r.says, r.confidence) for r in assessment.risks if r.kind not in _NOT_COSTS)
            ),
            doubts=(*assessment.doubts, *self._not_known(law, platform), *self._no_country(kind)),
            missing=assessment.missing_elements,
            due=_due(law, platform, channel),
            refused=refused,
        )

    def _where_there(self, platform: Platform) -> Iterable[str]:
        """Which part of what was seen this way is for, where it was seen in several places."""
        if platform.kind not in HOLD_POSTS:
            return
        there = self._at(platform)
        if platform.id == _GENERIC and (sites := list(dict.fromkeys(filter(None, map(_site_of, there))))):
            more = f" and {len(sites) - _NAMED} more" if len(sites) > _NAMED else ""
            yield f"For what is on {', '.join(sites[:_NAMED])}{more}."
        if len(self.targets) > 1 and there:
            yield f"{len(there):,} of the {len(self.request.sightings):,} places where it was seen are there."

    def _why(self, law: Law | None, platform: Platform, channel: Channel) -> Iterable[str]:
        yield channel.says or platform.says
        if channel.account == "no" and channel.kind in ("form", "portal"):
            yield "No account is needed."
        if law is None:
            return
        yield law.says
        if law.synthetic == "explicit" and not all_real(self.request):
            yield "It covers pictures that were made or altered too."
        if law.synthetic == "by_effect" and not all_real(self.request):
            yield law.synthetic_says
        if law.link == "platform_serves" and self.country and not self._hers(law):
            yield "It is a law about the platform: it does not ask where somebody lives."
        if law.addressed_to == "platform" and law.synthetic in ("by_effect", "not_clear"):
            offences = [
                o.called for o in self.laws if o.addressed_to == "police" and self._hers(o) and o.in_force(self.day)
            ]
            if offences:
                yield f"Name the offence in the reason, so that they can see that it is illegal: {', '.join(offences)}."

    def _not_known(self, law: Law | None, platform: Platform) -> Iterable[str]:
        """Where a law for platforms anywhere is named to one of which nobody has said that it follows it."""
        elsewhere = law is not None and law.link == "platform_serves" and not self._hers(law)
        if law is not None and elsewhere and law.id not in _laws_of(platform):
            yield f"Nobody has verified that {_inside(platform.name)} follows {law.called}: {CHECK}."

    def _no_country(self, kind: str) -> Iterable[str]:
        if kind in ("police", "law") and not self.country:
            who = "you live" if self.request.sender.role == "depicted" else "the person in the picture lives"
            yield f"Say in which country {who}: there may be a law and an office for it."


def places_for(request: Request, platform_ids: Iterable[str], facts: Facts) -> dict[str, tuple[RequestSighting, ...]]:
    """The places of a request that go to each of these: a platform is asked about what is on it, and about no other.

    All of them where it is no platform that holds posts, and where none is there. Raises FactsError for an id that
    there is not.
    """
    finder = _Finder(request, facts)
    return {id: tuple(finder.on(facts.platform(id))) for id in dict.fromkeys(platform_ids)}


def _is_carried(platform: Platform) -> bool:
    """Whether it is a website behind which somebody else stands."""
    return platform.id == _GENERIC or platform.kind in _CARRIED


def _not_for(assessment: Assessment) -> Iterable[str]:
    """That a way is not for this sender, where it is said who asks: “missing” alone would not tell why."""
    if assessment.request.sender.role:
        yield from (check.says for check in assessment.missing if check.element == "role")


def _site_of(sighting: RequestSighting) -> str:
    return host_of(sighting.url) or sighting.platform.strip()


def _inside(name: str) -> str:
    """A name as it stands inside a sentence: “the host of a website”, “another platform”."""
    return name[0].lower() + name[1:] if name.startswith(("The ", "A ", "Another ")) else name


def _rank(law: Law, near: bool) -> tuple[bool, bool, float]:
    """The laws made for this before the general right to erasure; first those of the country or the platform, the
    shortest limit first."""
    limit = law.deadline
    hours = (limit.hours or limit.days * 24 or limit.months * 24 * 30) if limit else float("inf")
    return law.addressed_to == "controller", not near, hours


def _a_few(sightings: list[RequestSighting]) -> tuple[RequestSighting, ...]:
    """Enough of them to tell what is missing: thousands would be looked at anew for every way."""
    with_address = [s for s in sightings if s.url][:1]
    with_account = [s for s in sightings if s.handle][:1]
    return tuple(dict.fromkeys([*sightings[:_ENOUGH], *with_address, *with_account]))


def _kind(platform: Platform, law: Law | None) -> str:
    if platform.kind in _CARRIERS:
        return "host"
    if platform.kind in SERVICES and platform.kind != "search":
        return "law" if law else "platform"
    return platform.kind


def _laws_of(platform: Platform) -> frozenset[str]:
    return frozenset((*platform.laws, *(law for channel in platform.channels for law in channel.laws)))


def _title(platform: Platform, channel: Channel, law: Law | None) -> str:
    return f"{platform.name}: {law.called}" if law else f"{platform.name}: {channel.name}"


def _take_part(platforms: Iterable[Platform]) -> Iterable[str]:
    """Which of the platforms take part in StopNCII, each with a mark where that was not verified."""
    found: dict[str, list[str]] = {"yes": [], "no": [], "unknown": []}
    for platform in (p for p in platforms if p.id != _GENERIC):
        sure = platform.confidence is Confidence.VERIFIED and "stopncii" not in platform.unchecked
        since = f"since {platform.stopncii_since}" if platform.stopncii_since else ""
        marks = ", ".join(filter(None, (since, "" if sure or platform.stopncii == "unknown" else CHECK)))
        found[platform.stopncii].append(f"{platform.name} ({marks})" if marks else platform.name)
    for answer, says in (
        ("yes", "Takes part in StopNCII: {}."),
        ("no", "Does not take part: {}. Others do."),
        ("unknown", "It is not known whether it takes part: {}. Others do."),
    ):
        if found[answer]:
            yield says.format(", ".join(found[answer]))


def _cost(says: str, confidence: Confidence) -> str:
    return says if confidence is Confidence.VERIFIED else f"{says.rstrip('.')} ({CHECK})."


def _due(law: Law | None, platform: Platform, channel: Channel) -> str:
    # A time limit holds for those whom the law obliges.
    if law is not None and law.deadline is not None and law.obliges(platform):
        return f"{law.deadline.words} (by law, from when {law.deadline.starts})"
    if channel.deadline_hours is not None:
        return f"{channel.deadline_hours} hours, as {platform.name} itself states"
    return "no time limit is stated"
