"""What a request still lacks under its law and on its way, what in it is weak, what it risks, and what is refused.

A removal duty runs from a valid request: one missing element voids it. That a picture is fake is never an element.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from desktop.packets import addresses
from desktop.packets.addresses import HOLD_POSTS
from desktop.packets.elements import ELEMENTS, WAYS_OF_CONTACT
from desktop.packets.facts import (
    CHECK,
    EVERYWHERE,
    Channel,
    Facts,
    FactsError,
    Law,
    NeededElement,
    Platform,
    countries_of,
    country_name,
)
from desktop.packets.request import (
    Depicted,
    Earlier,
    RecipientOverride,
    Request,
    RequestItem,
    RequestSighting,
    Sender,
    Signature,
    Statements,
    Texts,
)
from desktop.safety import helplines
from desktop.safety.helplines import Confidence, Helpline

# Those that answer for what others put there; the rest are authorities, programmes and helpers.
SERVICES = (*HOLD_POSTS, "search", "host", "cdn", "registrar")

_GENERIC = "other_platform"
# Whose address need not be known: she can go there herself, or it is a website.
_NO_ADDRESS_NEEDED = ("police", "court", "support", "hash_programme")
_NEEDS = ("sensible", "agent", "always")
_PURPOSES = ("intimate", "privacy", "abuse", "regional", "report", "order", "complaint")
_FOR_CHILDREN = "child_safety"
_COPYRIGHT = "copyright"
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@(?:[^\s@.<>,;:\"()\[\]\\]+\.)+[^\s@.<>,;:\"()\[\]\\\d]{2,}")
_BETWEEN_WORDS = re.compile(r"[^\w]+")
# The latest date that it is anywhere: who signs in Auckland does so a day before it is that day in London.
_FAR_EAST = datetime.timezone(datetime.timedelta(hours=14))
_TABLES: Mapping[str, Any] = {
    "depicted": Depicted(),
    "sender": Sender(),
    "signature": Signature(),
    "statements": Statements(),
    "texts": Texts(),
    "recipient": RecipientOverride(),
    "earlier": Earlier(),
    "item": RequestItem(),
    "sighting": RequestSighting(),
}
# Who may ask, in words; "anyone" has no entry.
WHO = {
    "depicted": "the person in the picture",
    "agent": "somebody who acts for that person",
    "guardian": "a parent or guardian",
    "owner": "the owner of the photo or video",
}


class State(StrEnum):
    """How an element stands. Weak is there, and may be turned down."""

    PRESENT = "present"
    WEAK = "weak"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One element. `says` is how it stands, `remedy` what to do (empty when present), `asked` what the law says of it.

    `need` is always, agent or sensible, as in the facts; `needed_by` names who needs it ("law us_tida", "channel
    x/take_it_down"), and is empty where this program looks by itself. Several weak checks can be of one element.
    """

    element: str
    state: State
    says: str
    remedy: str
    need: str
    needed_by: tuple[str, ...]
    cite: str
    confidence: Confidence
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Risk:
    """What the request costs or risks. `kind` is that of a cost, or warning, not_obviously_covered, identity_withheld,
    more_than_needed, with_lawyer, other_country or hashes_left_out; `from_` is such as "law us_tida"."""

    kind: str
    says: str
    confidence: Confidence
    from_: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this request is not built, as a draft neither, and what to do instead.

    Codes: age_not_answered, maybe_minor, not_asked, not_for_this, copyright_not_by_default, law_not_in_force,
    law_not_confirmed, law_not_of_country, not_for_country, wrong_addressee, for_minors_only, image_not_here.
    """

    code: str
    says: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """How a request stands. `law` is the one that was chosen, or that the channel is for; `channel` the one in use."""

    request: Request
    law: Law | None
    platform: Platform
    channel: Channel
    checks: tuple[Check, ...]
    risks: tuple[Risk, ...]
    refusals: tuple[Refusal, ...]
    doubts: tuple[str, ...]

    @property
    def missing(self) -> tuple[Check, ...]:
        """The checks of what is missing and needed."""
        return tuple(c for c in self.checks if c.state is State.MISSING and c.need != "sensible")

    @property
    def weak(self) -> tuple[Check, ...]:
        """The checks of what may be turned down, and of what is missing though only practice asks for it."""
        return tuple(
            c for c in self.checks if c.state is State.WEAK or (c.state is State.MISSING and c.need == "sensible")
        )

    @property
    def missing_elements(self) -> tuple[str, ...]:
        """The ids of the elements that are missing and needed."""
        return tuple(c.element for c in self.missing)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing refused: what is weak can still be sent."""
        return not self.missing and not self.refusals


def assess(request: Request, facts: Facts) -> Assessment:
    """How the request stands. A request that is not complete raises nothing.

    Raises FactsError where it names a law, platform or channel that there is not, and SetupError where the helplines
    that it would name are damaged.
    """
    platform = _platform(request, facts)
    chosen = facts.law(request.law) if request.law else None
    channel = _channel(request, platform, chosen)
    law = chosen or _law_of(channel, facts, request)
    refusals = gate(request, facts.helplines.values())
    if refusals:
        return Assessment(request, law, platform, channel, (), (), refusals, ())
    refusals = tuple(_refused(request, law, platform, channel))
    needed = _needed(request, law, platform, channel)
    rules = _Rules(request, facts, law, platform, channel)
    checks = tuple(check for need in needed.values() for check in rules.checks(need))
    doubts = (*_doubts(request, law, platform, channel), *_unknown_country(request, law))
    risks = tuple(_risks(request, law, platform, channel, needed.keys()))
    return Assessment(request, law, platform, channel, checks, risks, refusals, tuple(dict.fromkeys(doubts)))


def without(request: Request, element: str) -> Request:
    """The request with that element taken out. Raises KeyError when there is no such element."""
    for field in ELEMENTS[element].fields:
        request = _cleared(request, field)
    # Her own name stands for the sender's where she asks herself.
    return (
        _cleared(request, "depicted.name")
        if element == "contact_name" and request.sender.role == "depicted"
        else request
    )


def gate(request: Request, given: Iterable[Helpline] = ()) -> tuple[Refusal, ...]:
    """What is asked before anything else. While one of these stands, nothing more is said.

    Where somebody may be under 18 it names those of the `given` helplines that are for that; where none is given, of
    those that came with the program.
    """
    asked = request.gate
    if not asked.age:
        return (
            Refusal(
                "age_not_answered",
                "Could anyone in these pictures be under 18? This must be answered first.",
                "Answer adults, minor or unsure. If you are not sure, unsure is the right answer.",
            ),
        )
    if asked.age != "adults":
        return (_maybe_minor(request, given),)
    if asked.intimate is None or asked.satire is None or asked.news is None:
        return (
            Refusal(
                "not_asked",
                "Three questions come first: is it intimate, is it satire, is it news? One has no answer yet.",
                "Answer each with yes or no. A request against somebody’s post can silence what is lawful.",
            ),
        )
    reasons = (
        (not asked.intimate, "These requests are for intimate pictures and videos alone, and this one is not."),
        (asked.satire, "You said that this is satire. A request for intimate pictures is not made against satire."),
        (asked.news, "You said that this is news. A request for intimate pictures is not made against news."),
    )
    remedy = (
        "The platform’s ordinary way to report may help, and so may a lawyer. If it does show somebody as if naked or "
        "in a sexual act who never agreed to it, change the answer."
    )
    return tuple(Refusal("not_for_this", says, remedy) for applies, says in reasons if applies)


def can_be_sent(law: Law, platform: Platform) -> bool:
    """Whether a request on that law can go there at all: to a service, or to the authority that the law is for."""
    named = law.id in platform.laws or any(law.id in channel.laws for channel in platform.channels)
    if named or platform.id in {step.platform for step in law.next}:
        return True
    if law.addressed_to in ("platform", "controller"):
        return platform.kind in SERVICES
    return platform.kind == law.addressed_to and _shared(law.countries, platform.countries)


def fits(channel: Channel, role: str, country: str) -> bool:
    """Whether the channel is for that role and country; what is not known yet (empty) is no obstacle."""
    return _may(role, channel.who) and _holds_in(country, channel.countries)


def channel_for(platform: Platform, law: Law | None, role: str = "", country: str = "") -> Channel:
    """The platform's first channel that fits: that of the law, then that for intimate images, then the others."""
    copyright = law is not None and law.offer == "only_if_asked"

    def rank(channel: Channel) -> tuple[bool, bool, int, int]:
        wanted = (_COPYRIGHT,) if copyright else _PURPOSES
        return (
            channel.purpose not in wanted,
            not fits(channel, role, country),
            0 if law and law.id in channel.laws else 1 if not channel.laws or law is None else 2,
            wanted.index(channel.purpose) if channel.purpose in wanted else len(wanted),
        )

    return min(platform.channels, key=rank)


# --- Which platform, channel and law.


def _platform(request: Request, facts: Facts) -> Platform:
    """The one that was chosen; where none was, the one where it was seen."""
    if request.platform:
        return facts.platform(request.platform)
    seen = (facts.platform_for(sighting.url) for sighting in request.sightings[:1])
    return next(filter(None, seen), None) or facts.platform(_GENERIC)


def _channel(request: Request, platform: Platform, law: Law | None) -> Channel:
    if not request.channel:
        return channel_for(platform, law, request.sender.role, request.depicted.country)
    found = platform.channel(request.channel)
    if found is None:
        raise FactsError(
            "unknown_channel",
            f"{platform.name} has no channel called {request.channel!r}.",
            f"Choose one of these: {', '.join(c.id for c in platform.channels)}.",
        )
    return found


def _law_of(channel: Channel, facts: Facts, request: Request) -> Law | None:
    """The law that the channel is for: a request through it is one under that law, named or not."""
    law = facts.laws.get(channel.laws[0]) if len(channel.laws) == 1 else None
    return law if law and law.in_force(day_of(request)) else None


def all_real(request: Request) -> bool:
    """Whether the sender said of every picture that it was not made or altered."""
    return bool(request.items) and all(item.made == "real" for item in request.items)


def day_of(request: Request) -> datetime.date:
    """The day for which the request is looked at: that of its making, or today."""
    return request.created_at.date() if request.created_at else datetime.datetime.now(datetime.UTC).date()


def _shared(one: Iterable[str], other: Iterable[str]) -> bool:
    left, right = countries_of(one), countries_of(other)
    return EVERYWHERE in left | right or bool(left & right)


def _holds_in(country: str, countries: Iterable[str]) -> bool:
    return not country or _shared((country,), countries)


def _may(role: str, who: Iterable[str]) -> bool:
    return not role or role in who or "anyone" in who


# --- What is refused.


def _maybe_minor(request: Request, given: Iterable[Helpline]) -> Refusal:
    country = request.depicted.country or request.sender.country
    known = helplines.suited(tuple(given) or helplines.load(), country, minors=True)
    turn_to = "; ".join(h.lines()[0] for h in known[:5])
    return Refusal(
        "maybe_minor",
        "Thank you for saying so. You have done nothing wrong. No request is prepared here, because somebody in the "
        "picture may be under 18.",
        f"Please do not copy it or send it to anyone. Where to turn: {turn_to}.",
    )


def _refused(request: Request, law: Law | None, platform: Platform, channel: Channel) -> Iterable[Refusal]:
    country = request.depicted.country
    about_copyright = channel.purpose == _COPYRIGHT or (law is not None and law.offer == "only_if_asked")
    if about_copyright and not (request.law and request.statements.ownership):
        yield Refusal(
            "copyright_not_by_default",
            "A copyright notice is never the first choice: it passes on your name and address, and it can be answered "
            "by a counter-notice.",
            "Use the way for intimate images. Copyright is possible where you chose it yourself, and you, or somebody "
            "who gave you the rights, took the photo or video.",
        )
    if law is not None:
        yield from _law_refused(request, law, platform)
    if not _holds_in(country, channel.countries) and not request.texts.jurisdiction_link.strip():
        yield Refusal(
            "not_for_country",
            f"{channel.name} of {platform.name} is for people in {_listed(channel.countries)}, and {_lives(request)}.",
            "Choose another way. If something else ties this to that country, say what.",
        )
    if channel.purpose == _FOR_CHILDREN:
        yield Refusal(
            "for_minors_only",
            f"{channel.name} is for pictures of people under 18.",
            "Choose another way. If somebody in the picture may have been under 18 when it was taken, say so in the "
            "first question: you will see where to turn.",
        )
    if request.include.image != "none":
        yield from _image_refused(request, law, platform)


def _law_refused(request: Request, law: Law, platform: Platform) -> Iterable[Refusal]:
    country = request.depicted.country
    if law.status == "not_confirmed":
        yield Refusal(
            "law_not_confirmed",
            f"It is not confirmed that {law.called} is in force.",
            "Choose another law, or none. A lawyer there can tell you whether it is in force by now.",
        )
    elif not law.in_force(day_of(request)):
        since = f" It is from {_day(law.in_force_since)} on." if law.in_force_since else ""
        yield Refusal("law_not_in_force", f"{law.called} is not in force yet.{since}", "Choose another law, or none.")
    linked = request.texts.jurisdiction_link.strip()
    if law.link == "person_in_country" and not _holds_in(country, law.countries) and not linked:
        yield Refusal(
            "law_not_of_country",
            f"{law.called} is for people in {_listed(law.countries)}, and {_lives(request)}.",
            f"Choose a law of {country_name(country)}, or none. If something else ties this to the other country, say "
            "what.",
        )
    if not can_be_sent(law, platform):
        to = {
            "police": "goes to the police",
            "court": "goes to a court",
            "regulator": "goes to its regulator",
            "support": "goes to the office that it names",
        }.get(law.addressed_to, "is for platforms and other services")
        yield Refusal(
            "wrong_addressee",
            f"{law.called} {to}, not to {platform.name}.",
            "Choose whom it goes to. To a platform you can name this law in the reason: it is why the post is illegal.",
        )


def _image_refused(request: Request, law: Law | None, platform: Platform) -> Iterable[Refusal]:
    why = ""
    countries = {request.depicted.country, request.sender.country, *(law.countries if law else ()), *platform.countries}
    if "KR" in countries:
        why = "In the Republic of Korea even keeping or viewing such a picture can be an offence, so none is put in."
    elif platform.kind == "hash_programme":
        why = (
            f"{platform.name} takes fingerprints, which its website makes on your own device. It never needs a picture."
        )
    elif platform.kind == "regulator":
        why = f"{platform.name} does not need the picture to act on a complaint, so none is put in."
    if why:
        yield Refusal("image_not_here", why, "Choose that no picture is put in. The addresses are enough.")


# --- What to check before sending.


def _doubts(request: Request, law: Law | None, platform: Platform, channel: Channel) -> Iterable[str]:
    """The doubts about what this request uses. The others are in `counterproof packet facts`."""
    if law is not None:
        real = all_real(request)
        unclear = law.synthetic == "not_clear"
        yield from law.doubts([e.id for e in _asked(request, law.elements)], ("synthetic",) if real or unclear else ())
        if unclear and not real:
            says = law.synthetic_says
            says = says if says.startswith("Bill ") else says[0].lower() + says[1:]
            yield f"{law.called} and pictures that were made or altered: {says} So {CHECK}."
    of_platform = {
        "stopncii": platform.kind != "hash_programme",
        "take_it_down": platform.kind != "hash_programme",
        "hosts": platform.kind not in HOLD_POSTS,
        "laws": law is None,
    }
    yield from platform.doubts([part for part, unused in of_platform.items() if unused])
    of_channel = {
        "batch": len(request.sightings) < 2,
        "account": channel.account == "unknown",
        "laws": law is None or law.id not in channel.laws,
        "deadline_hours": law is not None and law.deadline is not None,
    }
    asked = [e.id for e in _asked(request, channel.elements)]
    yield from channel.doubts(asked, [part for part, unused in of_channel.items() if unused])


def _unknown_country(request: Request, law: Law | None) -> Iterable[str]:
    if law and law.link == "person_in_country" and not request.depicted.country:
        yield f"{law.called} is for people in {_listed(law.countries)}. Say in which country {_who_lives(request)}."


# --- What it risks.


def _risks(
    request: Request, law: Law | None, platform: Platform, channel: Channel, needed: Iterable[str]
) -> Iterable[Risk]:
    by_law, by_platform = f"law {law.id}" if law else "", f"platform {platform.id}"
    by_channel = f"channel {platform.id}/{channel.id}"
    costs = [(cost, by_law) for cost in (law.costs if law else ())] + [(cost, by_channel) for cost in channel.costs]
    for cost, source in costs:
        yield Risk(cost.kind, cost.says, cost.confidence, source)
    shown = {cost.kind for cost, _ in costs} & {"name_to_uploader", "address_to_uploader", "published"}
    if request.sender.identity == "withhold" and shown:
        says = "You asked that your name is not passed on. On this way it may be passed on all the same."
        yield Risk("identity_withheld", says, Confidence.VERIFIED, by_channel)
    if law is not None:
        for_services = law.addressed_to in ("platform", "controller") and law.binds
        if for_services and platform.kind in SERVICES and not law.obliges(platform):
            says = f"{platform.name} is not obviously covered by {law.called}. It may still act, on its own rules."
            yield Risk("not_obviously_covered", says, law.confidence, by_law)
        if law.offer == "with_lawyer":
            says = "Use this only with a lawyer who knows the law there: it can be turned against the one who reports."
            yield Risk("with_lawyer", says, law.confidence, by_law)
        if law.link in ("person_in_country", "any_party") and not _holds_in(request.depicted.country, law.countries):
            says = f"{law.called} is for {_listed(law.countries)}, and {_lives(request)}. "
            says += "It counts only if something else ties this to there."
            yield Risk("other_country", says, law.confidence, by_law)
    warned: dict[str, Risk] = {}
    facts: list[tuple[Law | Platform, str]] = [*([(law, by_law)] if law else []), (platform, by_platform)]
    for fact, source in facts:
        for warning in fact.warnings_to(request.acts_for_her):
            warned.setdefault(warning, Risk("warning", warning, fact.confidence, source))
    yield from warned.values()
    for element in ("contact_address", "contact_phone") if platform.kind in SERVICES else ():
        only_way = "contact" in needed and not request.sender.email.strip()
        if element not in needed and not only_way and _PRESENT[element](request):
            says = f"{ELEMENTS[element].title}: it is not needed here. It is safer to leave it out."
            yield Risk("more_than_needed", says, Confidence.VERIFIED, "request")
    if request.include.hashes and platform.kind != "hash_programme":
        says = "Fingerprints that can be compared are only for programmes that work with them. They are left out here."
        yield Risk("hashes_left_out", says, Confidence.VERIFIED, "request")


# --- What is needed, and how it stands.


@dataclass(frozen=True, slots=True)
class _Need:
    element: str
    need: str
    needed_by: tuple[str, ...] = ()
    says: str = ""
    cite: str = ""
    confidence: Confidence = Confidence.VERIFIED

    def and_also(self, other: _Need) -> _Need:
        """Both in one: the stronger need, everybody who needs it, and the words of whoever has some."""
        first, second = sorted((self, other), key=lambda n: (-_NEEDS.index(n.need), not n.says))
        return replace(first, needed_by=(*self.needed_by, *other.needed_by), says=first.says or second.says)


def _needed(request: Request, law: Law | None, platform: Platform, channel: Channel) -> dict[str, _Need]:
    found: dict[str, _Need] = {}

    def add(need: _Need) -> None:
        found[need.element] = found[need.element].and_also(need) if need.element in found else need

    def from_facts(elements: Iterable[NeededElement], by: str) -> None:
        for e in _asked(request, elements):
            add(_Need(e.id, e.need, (by,), e.says, e.cite, e.confidence))

    add(_Need("role", "always"))
    if not request.platform or (not channel.address and channel.kind != "in_app"):
        known = request.platform and platform.kind in _NO_ADDRESS_NEEDED
        add(_Need("recipient", "sensible" if known else "always"))
    if law is not None:
        from_facts(law.elements, f"law {law.id}")
    from_facts(channel.elements, f"channel {platform.id}/{channel.id}")
    if request.acts_for_her:
        add(_Need("authority_proof", "sensible"))
    return _one_contact(found)


def _asked(request: Request, elements: Iterable[NeededElement]) -> Iterable[NeededElement]:
    """Those that are asked of this sender: to speak for oneself needs no authority."""
    return (e for e in elements if request.acts_for_her or not (e.need == "agent" or e.id == "authority_proof"))


def _one_contact(found: dict[str, _Need]) -> dict[str, _Need]:
    """A way of contact that is demanded by name stands for “any way of contact”, so that one thing is asked once."""
    ways = [way for way in WAYS_OF_CONTACT if way in found and found[way].need != "sensible"]
    if "contact" in found and ways:
        general = found.pop("contact")
        way = found[ways[0]]
        found[way.element] = replace(way, needed_by=(*way.needed_by, *general.needed_by))
    return found


def _has(*fields: str) -> Callable[[Request], bool]:
    """Whether any of the fields holds something."""
    paths = [field.split(".") for field in fields]

    def present(request: Request) -> bool:
        values = [getattr(getattr(request, table), name) for table, name in paths]
        return any(value.strip() if isinstance(value, str) else value for value in values)

    return present


def _whom(request: Request) -> bool:
    to = request.recipient
    return bool(to.name.strip() and (to.address.strip() or to.email.strip()))


def _signed(request: Request) -> bool:
    return request.signature.kind == "by_hand" or (
        request.signature.kind == "typed" and bool(request.signature.text.strip())
    )


# Whether an element is there; those with a table of their own fields are looked up there.
_PRESENT: Mapping[str, Callable[[Request], bool]] = {
    **{id: _has(*e.fields) for id, e in ELEMENTS.items() if e.fields[0].split(".")[0] in ("texts", "statements")},
    **{id: _has(*ELEMENTS[id].fields) for id in ("contact", *WAYS_OF_CONTACT, "legal_name", "country")},
    "role": lambda r: bool(r.sender.role) and (not r.acts_for_her or bool(r.depicted_name.strip())),
    "recipient": _whom,
    "signature": _signed,
    "locators": lambda r: any(map(addresses.locatable, r.sightings)),
    "content_identification": lambda r: any(item.identification.strip() for item in r.items),
    "contact_name": lambda r: bool(r.sender_name.strip()),
    "identity_disclosure_choice": _has("sender.identity"),
    "authority_proof": lambda r: r.sender.authority != "none",
    "prior_request": lambda r: bool(r.texts.prior_request.strip() or (r.earlier.platform and r.earlier.sent_at)),
    "username": lambda r: any(sighting.handle.strip() for sighting in r.sightings),
}


class _Rules:
    """How each needed element of one request stands."""

    def __init__(self, request: Request, facts: Facts, law: Law | None, platform: Platform, channel: Channel) -> None:
        self.request = request
        self.facts = facts
        self.law = law
        self.platform = platform
        self.channel = channel

    def checks(self, need: _Need) -> Iterable[Check]:
        element = ELEMENTS[need.element]

        def check(state: State, says: str, remedy: str) -> Check:
            by = (need.need, need.needed_by, need.cite, need.confidence, need.says)
            return Check(element.id, state, says, remedy, *by)

        if problem := self._role_problem() if element.id == "role" else None:
            return (check(State.MISSING, *problem),)
        if not _PRESENT[element.id](self.request):
            # An agent whom nobody asks for it can do without, and may be turned down.
            spared = element.id == "authority_proof" and need.need == "sensible"
            missing = (element.missing, element.remedy)
            if element.own and self.request.sender.role == "depicted":
                missing = element.own
            return (check(State.WEAK if spared else State.MISSING, *missing),)
        weak = getattr(self, f"_{element.id}", None)
        found = tuple(weak()) if weak else ()
        return tuple(check(State.WEAK, *w) for w in found) or (check(State.PRESENT, f"{element.title}: there.", ""),)

    def _role_problem(self) -> tuple[str, str] | None:
        role = self.request.sender.role
        for who, whose in ((self.law.who, self.law.called) if self.law else ((), ""), (self.channel.who, "")):
            if who and not _may(role, who):
                by = whose or f"{self.platform.name}, “{self.channel.name}”,"
                may = " or ".join(WHO[w] for w in who if w in WHO)
                they = "one of these" if " or " in may else "that person"
                return f"{by} takes a request only from {may}.", f"Let {they} ask, or choose another way."
        if self.request.acts_for_her and not self.request.depicted_name.strip():
            return "It is not said for whom you act.", "Add the name of the person in the picture."
        return None

    # The weak cases of one element each; the method is found by the element’s name.

    def _role(self) -> Iterable[tuple[str, str]]:
        request = self.request
        if request.sender.role == "agent" and _same(request.sender.name, request.depicted_name):
            yield (
                "You act for somebody else, but your name is the same as that of the person in the picture.",
                "Put your own name as the sender, or choose that you are the person in the picture.",
            )
        if request.sender.role == "guardian":
            yield (
                "A parent or guardian acts for an adult only where a court has said so.",
                "If no court has, choose that you act for that person, with a written authority.",
            )

    def _locators(self) -> Iterable[tuple[str, str]]:
        return addresses.weaknesses(self.request, self.facts, self.platform, self.channel)

    def _content_identification(self) -> Iterable[tuple[str, str]]:
        bare = sum(not item.identification.strip() for item in self.request.items)
        if bare:
            says = f"{bare} of {len(self.request.items)} pictures or videos are not described."
            yield says, "Say of each in a few words which one it is, such as: the second picture in the post."

    def _signature(self) -> Iterable[tuple[str, str]]:
        signature, created = self.request.signature, self.request.created_at
        if signature.kind == "typed" and not _same(signature.text, self.request.sender_name):
            yield (
                "The signature is not the same name as that of the sender.",
                "Type the name as it stands under who asks.",
            )
        if signature.kind == "by_hand" and self.channel.kind in ("form", "in_app", "portal"):
            yield "A form cannot take a signature by hand.", "Type your name as the signature."
        if signature.date and created and signature.date > created.astimezone(_FAR_EAST).date():
            yield (
                "The signature has a date that is later than the request.",
                "Set the date to the day on which you sign.",
            )

    def _reason(self) -> Iterable[tuple[str, str]]:
        return self._too_short(self.request.texts.reason, "reason")

    def _relevant_information(self) -> Iterable[tuple[str, str]]:
        return self._too_short(self.request.texts.relevant_information, "relevant_information")

    def _circumstances(self) -> Iterable[tuple[str, str]]:
        return self._too_short(self.request.texts.circumstances, "circumstances")

    def _too_short(self, text: str, element: str) -> Iterable[tuple[str, str]]:
        if len(text.strip()) < 25 and len(text.split()) < 5:
            yield f"{ELEMENTS[element].title}: this is shorter than a sentence.", ELEMENTS[element].remedy

    def _contact(self) -> Iterable[tuple[str, str]]:
        sender = self.request.sender
        if sender.email.strip():
            yield from self._contact_email()
        elif self.channel.kind in ("email", "form", "portal"):
            yield (
                "There is no e-mail address, and this recipient answers by e-mail.",
                "Add an e-mail address. One that you use for this alone is fine.",
            )
        elif sender.phone.strip():
            yield from self._contact_phone()

    def _contact_email(self) -> Iterable[tuple[str, str]]:
        if not _EMAIL.fullmatch(self.request.sender.email.strip()):
            yield "The e-mail address is not complete.", "Write it such as name@example.org."

    def _contact_phone(self) -> Iterable[tuple[str, str]]:
        if sum(map(str.isdigit, self.request.sender.phone)) < 5:
            yield (
                "The phone number is not complete.",
                "Write it with the code of the country, such as +254 20 555 0100.",
            )

    def _authority_proof(self) -> Iterable[tuple[str, str]]:
        sender = self.request.sender
        if sender.authority == "parent" and sender.role == "agent":
            yield (
                "You said that you act as a parent or guardian, but also that you are somebody else.",
                "Choose parent or guardian as who you are, or another authority.",
            )

    def _recipient(self) -> Iterable[tuple[str, str]]:
        to = self.request.recipient
        if self.channel.kind == "email" and not _EMAIL.fullmatch(to.email.strip()):
            yield "This goes by e-mail, and their e-mail address is not complete.", "Add it, such as abuse@example.org."


def _cleared(request: Request, field: str) -> Request:
    table, name = field.split(".")
    default = getattr(_TABLES[table], name)
    if table == "item":
        return replace(request, items=tuple(replace(i, **{name: default}) for i in request.items))
    if table == "sighting":
        return replace(request, sightings=tuple(replace(s, **{name: default}) for s in request.sightings))
    return replace(request, **{table: replace(getattr(request, table), **{name: default})})


def _same(one: str, other: str) -> bool:
    """Whether two names are the same but for case, spaces and dots."""
    left, right = (_BETWEEN_WORDS.sub(" ", name).strip().casefold() for name in (one, other))
    return bool(left) and left == right


def _who_lives(request: Request) -> str:
    return "you live" if request.sender.role == "depicted" else "the person in the picture lives"


def _lives(request: Request) -> str:
    return f"{_who_lives(request)} in {country_name(request.depicted.country)}"


def _listed(countries: Iterable[str]) -> str:
    found = [country_name(c) for c in countries]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"


def _day(day: datetime.date | None) -> str:
    return f"{day.day} {day:%B %Y}" if day else ""
