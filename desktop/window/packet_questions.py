"""The questions of the guided form as data: which pages there are for a request, and what each asks. Qt-free.

A page asks one thing, or a few that belong together. Which pages there are depends on the answers so far and on what
the chosen law and form need; nothing that nobody needs is asked. The steps of the side list are groups of pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from desktop.packets import request as request_format
from desktop.packets.complete import Assessment, Check
from desktop.packets.elements import ELEMENTS
from desktop.packets.request import Request, RequestItem, RequestSighting
from desktop.packets.routes import Route
from desktop.window import words
from desktop.window.words import translate

CONTACTS = ("contact", "contact_name", "contact_email", "contact_phone", "contact_address")
# What it costs that should be known before a way to reach the sender is written down.
EXPOSES = ("name_to_uploader", "address_to_uploader", "published", "identity_to_recipient", "counter_notice")


class Step(StrEnum):
    """The steps of the side list, in order."""

    BEFORE = "before"
    WHO = "who"
    WHERE = "where"
    WHAT = "what"
    WAY = "way"
    ASKED = "asked"
    REACH = "reach"
    SIGN = "sign"
    INCLUDE = "include"
    REVIEW = "review"
    SAVE = "save"
    SEND = "send"


class Kind(StrEnum):
    """How a field is answered: a line, several lines, one of a few, one of a list, yes, a country or a day."""

    LINE = "line"
    TEXT = "text"
    RADIO = "radio"
    CHOICE = "choice"
    TICK = "tick"
    COUNTRY = "country"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a page. `key` is its place in the request, such as `sender.email` or `items.0.made`.

    `says` stands above it, `hint` in it or below it; `options` are values with their words; `most` characters fit.
    """

    key: str
    kind: Kind
    label: str
    hint: str = ""
    says: str = ""
    options: tuple[tuple[str, str], ...] = ()
    most: int = request_format.SHORT


@dataclass(frozen=True, slots=True)
class Page:
    """One page: what it asks, why, what to know before, and its fields. Some have widgets of their own."""

    id: str
    step: Step
    title: str
    why: str = ""
    notes: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Into how many reports a form makes the addresses of a request; `batch` and `most` are how it takes them."""

    parts: int = 1
    batch: str = ""
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a request with the facts: made in the worker's thread, shown in the window's.

    `assessment` is None while no way is chosen. `groups` say how each of the `routes` takes the addresses (None where
    no packet is made for it), `group` how the chosen one does; `places` are those that go to a platform, by its id,
    and `languages` those in which offices work.
    `sentences` are the statements by element, as the letter has them. `no_image` says why no picture may go in, empty
    where one may; `kept_images`: the casebook keeps one.
    """

    request: Request
    assessment: Assessment | None = None
    routes: tuple[Route, ...] = ()
    groups: tuple[Group | None, ...] = ()
    group: Group = Group()
    places: Mapping[str, tuple[RequestSighting, ...]] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    sentences: Mapping[str, str] | None = None
    no_image: str = ""
    kept_images: bool = False

    @property
    def parts(self) -> int:
        """How many reports the chosen way makes of it."""
        return self.group.parts


def step_title(step: Step) -> str:
    """A step in a few words."""
    return {
        Step.BEFORE: translate("packet", "Before we start"),
        Step.WHO: translate("packet", "Who it is about"),
        Step.WHAT: translate("packet", "What it is"),
        Step.WHERE: translate("packet", "Where it is"),
        Step.WAY: translate("packet", "Which way"),
        Step.ASKED: translate("packet", "What they ask"),
        Step.REACH: translate("packet", "How they reach you"),
        Step.SIGN: translate("packet", "Your signature"),
        Step.INCLUDE: translate("packet", "What goes in"),
        Step.REVIEW: translate("packet", "Look it over"),
        Step.SAVE: translate("packet", "Save the packet"),
        Step.SEND: translate("packet", "Send it"),
    }[step]


def kind_of(request: Request) -> str:
    """What was answered to what it is: intimate, satire, news or other; empty where nothing was."""
    gate = request.gate
    if gate.satire:
        return "satire"
    if gate.news:
        return "news"
    if gate.intimate is None:
        return ""
    return "intimate" if gate.intimate else "other"


def pages(request: Request, outlook: Outlook | None, *, built: bool = False, carried: bool = False) -> tuple[Page, ...]:
    """The pages for a request as it is, in order. Until a question before is answered, the later ones are not there.

    `carried`: answers of the request before it were taken over, which the first page says.
    """
    found = [_age(carried)]
    if request.gate.age != "adults":
        return tuple(found)
    found.append(_what_kind())
    if kind_of(request) != "intimate":
        return tuple(found)
    found.append(_role(request))
    if not request.sender.role:
        return tuple(found)
    checks = _needed(outlook)
    exposed = _exposed(outlook)
    mine = request.sender.role == "depicted"
    found.append(_depicted(request, checks, exposed if mine else ()))
    if not mine:
        found.append(_sender(request, exposed))
    found += [_where(), _what(request), _way()]
    if outlook is None or outlook.assessment is None:
        return tuple(found)
    found += _asked(outlook, outlook.assessment, checks)
    found += _reach(exposed, checks)
    if "signature" in checks or request.signature.kind:
        found.append(_sign(request, exposed))
    found.append(_include(request, outlook, outlook.assessment))
    if not outlook.no_image and outlook.kept_images:
        found.append(_image())
    found.append(Page("review", Step.REVIEW, translate("packet", "Is everything there?")))
    found.append(Page("save", Step.SAVE, translate("packet", "Where should the packet be saved?")))
    if built:
        found.append(Page("send", Step.SEND, translate("packet", "What to do now")))
    return tuple(found)


def page_of(element: str, request: Request) -> str:
    """The page on which an element is answered."""
    if element in ("locators", "username"):
        return "where"
    if element == "contact_name":
        return "depicted" if request.sender.role == "depicted" else "sender"
    if element == "authority_proof":
        return "sender"
    if element in CONTACTS:
        return "contact"
    fixed = {
        "role": "role",
        "recipient": "recipient",
        "signature": "sign",
        "content_identification": "what",
        "identity_disclosure_choice": "identity",
        "legal_name": "depicted",
        "country": "depicted",
    }
    if element in fixed:
        return fixed[element]
    return "statements" if ELEMENTS[element].statement else f"text:{element}"


def element_name(element: str) -> str:
    """An element in a few words."""
    if element not in ELEMENTS:
        return element.replace("_", " ")
    title = translate("packet", ELEMENTS[element].title)
    return translate("packet", "the statement “{title}”").format(title=title) if ELEMENTS[element].statement else title


def _needed(outlook: Outlook | None) -> tuple[str, ...]:
    if outlook is None or outlook.assessment is None:
        return ()
    return tuple(check.element for check in outlook.assessment.checks)


def _age(carried: bool) -> Page:
    again = translate(
        "packet",
        "What you wrote for the request before is filled in already, so that you can go through quickly. What you "
        "state and sign is asked anew.",
    )
    return Page(
        "age",
        Step.BEFORE,
        translate("age", "Could anyone in these pictures be under 18?"),
        translate(
            "packet",
            "For adults and for children different rules and different helpers apply. No picture is opened for this, "
            "and none is shown anywhere in these steps. If you are not sure, choose the second answer.\n\nAll of it "
            "takes about a quarter of an hour. You can stop at every step: what you wrote is kept.",
        ),
        (again,) if carried else (),
        fields=(
            Field(
                "gate.age",
                Kind.RADIO,
                translate("age", "Could anyone in these pictures be under 18?"),
                options=(
                    ("adults", translate("packet", "No, all are adults")),
                    ("unsure", translate("packet", "Yes, or I am not sure")),
                ),
            ),
        ),
    )


def _what_kind() -> Page:
    return Page(
        "kind",
        Step.BEFORE,
        translate("packet", "What is it that was published?"),
        translate(
            "packet",
            "These requests are for intimate pictures and videos that somebody published without agreement. A request "
            "against something else can be refused, and can harm free speech.",
        ),
        fields=(
            Field(
                "gate.kind",
                Kind.RADIO,
                translate("packet", "What is it that was published?"),
                options=(
                    ("intimate", translate("packet", "Something naked or sexual, published without agreement")),
                    ("satire", translate("packet", "Satire, a caricature or art")),
                    ("news", translate("packet", "News, or a report about such pictures")),
                    ("other", translate("packet", "Something that is not intimate")),
                ),
            ),
        ),
    )


def _role(request: Request) -> Page:
    options = [
        ("depicted", translate("packet", "I am the person in the picture")),
        ("agent", translate("packet", "I act for the person in the picture, who knows and agrees")),
        ("guardian", translate("packet", "A court has made me the guardian of the person in the picture")),
        ("anyone", translate("packet", "None of these: I have seen it and report it")),
    ]
    if request.sender.role == "owner":
        options.append(("owner", translate("packet", "I own the rights in the photo or video")))
    return Page(
        "role",
        Step.WHO,
        translate("packet", "Who are you in this?"),
        translate(
            "packet",
            "Some laws hear only the person in the picture, or somebody whom that person named. You can change this "
            "later.",
        ),
        fields=(Field("sender.role", Kind.RADIO, translate("packet", "Who are you in this?"), options=tuple(options)),),
    )


def _exposed(outlook: Outlook | None) -> tuple[str, ...]:
    """Who comes to know the sender on the chosen way, beyond those who are written to."""
    if outlook is None or outlook.assessment is None:
        return ()
    return tuple(dict.fromkeys(risk.says for risk in outlook.assessment.risks if risk.kind in EXPOSES))


def _depicted(request: Request, checks: Sequence[str], notes: tuple[str, ...]) -> Page:
    mine = request.sender.role == "depicted"
    name = (
        translate("packet", "Your &name, as people know you:")
        if mine
        else translate("packet", "The &name, as people know the person:")
    )
    office = translate("packet", "Your &public office:") if mine else translate("packet", "A &public office:")
    country = (
        translate("packet", "&Country where you live:")
        if mine
        else translate("packet", "&Country where the person lives:")
    )
    fields = [Field("depicted.name", Kind.LINE, name)]
    if "legal_name" in checks:
        legal = translate("packet", "Name in the pa&ssport or identity card:")
        fields.append(
            Field("depicted.legal_name", Kind.LINE, legal, translate("packet", "Only because this way needs it"))
        )
    fields += [
        Field(
            "depicted.office", Kind.LINE, office, translate("packet", "May stay empty. For example: city councillor")
        ),
        Field("depicted.country", Kind.COUNTRY, country),
    ]
    title = translate("packet", "Your name") if mine else translate("packet", "Who is in the picture?")
    return Page(
        "depicted",
        Step.WHO,
        title,
        translate(
            "packet",
            "The request says who is in the picture, and the country decides which laws help. Nobody but those whom "
            "you send it to reads this.",
        )
        if not notes
        else translate("packet", "The request says who is in the picture, and the country decides which laws help."),
        notes,
        tuple(fields),
    )


def _sender(request: Request, notes: tuple[str, ...]) -> Page:
    fields = [
        Field("sender.name", Kind.LINE, translate("packet", "Your &name:")),
        Field(
            "sender.organisation",
            Kind.LINE,
            translate("packet", "&Organisation:"),
            translate("packet", "May stay empty"),
        ),
    ]
    if request.sender.role in ("agent", "guardian"):
        fields.append(
            Field(
                "sender.authority",
                Kind.RADIO,
                translate("packet", "By what authority do you act?"),
                options=(
                    ("written", translate("packet", "A signed letter of authority")),
                    ("attorney", translate("packet", "I am the person’s lawyer")),
                    ("parent", translate("packet", "I am the person’s guardian, as a court has said")),
                    ("none", translate("packet", "There is nothing in writing yet")),
                ),
            )
        )
        fields.append(
            Field(
                "sender.authority_date",
                Kind.DATE,
                translate("packet", "Date of the le&tter, if there is one:"),
            )
        )
    why = translate(
        "packet",
        "They want to know who writes. Where somebody acts for another, many also want to see that this was agreed. A "
        "letter of authority to sign can come with the packet.",
    )
    return Page("sender", Step.WHO, translate("packet", "Who are you?"), why, notes, tuple(fields))


def _what(request: Request) -> Page:
    made = (
        ("unknown", translate("packet", "I do not know, or do not want to say")),
        ("made", translate("packet", "It was made with software")),
        ("altered", translate("packet", "A real photo was altered")),
        ("real", translate("packet", "It is a real photo or video")),
    )
    fields = []
    items = request.items or (RequestItem(id=1),)
    for number, item in enumerate(items):
        name = words.visible(item.label) or translate("packet", "Picture {n}").format(n=item.id)
        says = name if len(items) > 1 else ""
        hint = translate("packet", "For example: the second picture in the post")
        which = translate("packet", "Which one it is:")
        how = translate("packet", "How it was made:")
        if len(items) > 1:
            which, how = f"{name}: {which}", f"{name}: {how}"
        fields.append(Field(f"items.{number}.identification", Kind.LINE, which, hint, says))
        fields.append(Field(f"items.{number}.made", Kind.CHOICE, how, options=made))
    return Page(
        "what",
        Step.WHAT,
        translate("packet", "Which picture is meant?"),
        translate(
            "packet",
            "A few words so that they find it. You need not describe what it shows, and you need not look at it "
            "again. Nobody may ask you to prove that it is fake.",
        ),
        fields=tuple(fields),
    )


def _where() -> Page:
    return Page(
        "where",
        Step.WHERE,
        translate("packet", "Where is it?"),
        translate(
            "packet",
            "Each address should lead to the post or picture itself, not to a profile or a search. Only what is "
            "ticked goes into this request.",
        ),
    )


def _way() -> Page:
    return Page(
        "way",
        Step.WAY,
        translate("packet", "Which way do you want to go first?"),
        translate(
            "packet",
            "The first in the list is the one that usually helps soonest. You can prepare others afterwards, one at a "
            "time.",
        ),
    )


def _why(check: Check) -> str:
    """What to write, and what the law says of it."""
    remedy = translate("packet", ELEMENTS[check.element].remedy)
    if not check.asked:
        return remedy
    said = f"{check.asked} ({check.cite})" if check.cite else check.asked
    return f"{remedy}\n{translate('packet', 'What the law asks: {text}').format(text=said)}"


def _asked(outlook: Outlook, assessment: Assessment, checks: Sequence[str]) -> list[Page]:
    found = []
    if "recipient" in checks:
        found.append(
            Page(
                "recipient",
                Step.WAY,
                translate("packet", "Whom does it go to?"),
                translate(
                    "packet", "It is not known here who runs this. Look it up, and write it down as you found it."
                ),
                fields=(
                    Field("recipient.name", Kind.LINE, translate("packet", "&Name of the company or office:")),
                    Field("recipient.email", Kind.LINE, translate("packet", "&E-mail address:")),
                    Field("recipient.address", Kind.TEXT, translate("packet", "&Postal address:")),
                ),
            )
        )
    for check in assessment.checks:
        element = ELEMENTS[check.element]
        fields = [f for f in element.fields if f.startswith("texts.")]
        if not fields:
            continue
        title = translate("packet", element.title)
        notes = (
            ()
            if check.need != "sensible"
            else (translate("packet", "You can leave this empty. It helps where it is there."),)
        )
        found.append(
            Page(
                f"text:{check.element}",
                Step.ASKED,
                title,
                _why(check),
                notes,
                (Field(fields[0], Kind.TEXT, title, most=request_format.LONG),),
            )
        )
    stated = [check for check in assessment.checks if ELEMENTS[check.element].statement]
    if stated:
        sentences = outlook.sentences or {}
        found.append(
            Page(
                "statements",
                Step.ASKED,
                translate("packet", "What do you state?"),
                translate(
                    "packet",
                    "They need these sentences from you. Read each, and tick it only if it is true. Nothing is ticked "
                    "for you.",
                ),
                fields=tuple(
                    Field(
                        ELEMENTS[check.element].fields[0],
                        Kind.TICK,
                        translate("packet", "I state this"),
                        says=sentences.get(check.element, translate("packet", ELEMENTS[check.element].title)),
                    )
                    for check in stated
                ),
            )
        )
    return found


def _reach(exposed: tuple[str, ...], checks: Sequence[str]) -> list[Page]:
    found = []
    wanted = [e for e in CONTACTS if e in checks and e != "contact_name"]
    if wanted:
        every = "contact" in wanted
        fields = []
        if every or "contact_email" in wanted:
            hint = translate("packet", "One that you use only for this is a good choice")
            fields.append(Field("sender.email", Kind.LINE, translate("packet", "&E-mail address:"), hint))
        if every or "contact_phone" in wanted:
            fields.append(Field("sender.phone", Kind.LINE, translate("packet", "&Telephone:")))
        if every or "contact_address" in wanted:
            hint = translate("packet", "An office or a lawyer is safer than your home")
            fields.append(Field("sender.address", Kind.TEXT, translate("packet", "&Postal address:"), hint))
        why = translate("packet", "They need a way to answer you.")
        if every and len(wanted) == 1:
            why = translate(
                "packet", "They need one way to answer you. One of these is enough; an e-mail address is the usual one."
            )
        found.append(
            Page("contact", Step.REACH, translate("packet", "How can they reach you?"), why, exposed, tuple(fields))
        )
    if "identity_disclosure_choice" in checks:
        question = translate("packet", "May they pass on your name to whoever published it?")
        found.append(
            Page(
                "identity",
                Step.REACH,
                question,
                translate("packet", "The law lets you choose. You may say no."),
                exposed if not wanted else (),
                (
                    Field(
                        "sender.identity",
                        Kind.RADIO,
                        question,
                        options=(
                            ("withhold", translate("packet", "No, they must keep it to themselves")),
                            ("allow", translate("packet", "Yes, they may")),
                        ),
                    ),
                ),
            )
        )
    return found


def _sign(request: Request, notes: tuple[str, ...]) -> Page:
    name = request.sender.name or request.depicted.name
    fields = [
        Field(
            "signature.kind",
            Kind.RADIO,
            translate("packet", "How do you sign?"),
            options=(
                ("typed", translate("packet", "With my typed name, here")),
                ("by_hand", translate("packet", "By hand, on the printed letter")),
            ),
        ),
        Field(
            "signature.text",
            Kind.LINE,
            translate("packet", "Your &name as your signature:"),
            translate("packet", "Only when you sign here. For example: {name}").format(name=name) if name else "",
        ),
    ]
    return Page(
        "sign",
        Step.SIGN,
        translate("packet", "How do you sign?"),
        translate(
            "packet",
            "A request without a signature can be put aside. A typed name counts as a signature for most of them.",
        ),
        notes,
        tuple(fields),
    )


def languages() -> tuple[tuple[str, str], ...]:
    """The languages of the letters, by code, with their names."""
    return (
        ("en", translate("language", "English")),
        ("fr", translate("language", "French")),
        ("es", translate("language", "Spanish")),
        ("pt", translate("language", "Portuguese")),
        ("sw", translate("language", "Swahili")),
        ("ar", translate("language", "Arabic")),
        ("ko", translate("language", "Korean")),
        ("hi", translate("language", "Hindi")),
    )


def _include(request: Request, outlook: Outlook, assessment: Assessment) -> Page:
    authority = assessment.platform.kind in ("police", "court", "regulator")
    fields = [
        Field("language", Kind.CHOICE, translate("packet", "Lan&guage of the letters:"), options=languages()),
        Field(
            "second",
            Kind.CHOICE,
            translate("packet", "A s&econd language:"),
            options=(("", translate("packet", "None")), *languages()),
        ),
    ]
    if authority:
        fields.append(
            Field(
                "include.brief",
                Kind.TICK,
                translate("packet", "A page for those who &decide"),
                hint=translate(
                    "packet",
                    "One page that explains what such pictures are and what they do, for people who have never had "
                    "such a case.",
                ),
            )
        )
    if request.sender.role == "agent":
        fields.append(
            Field(
                "include.authority_letter",
                Kind.TICK,
                translate("packet", "The letter of &authority"),
                hint=translate(
                    "packet", "A letter for the person in the picture to sign, which says that you may act."
                ),
            )
        )
    fields.append(
        Field(
            "include.custody",
            Kind.TICK,
            translate("packet", "The &custody log"),
            hint=translate(
                "packet",
                "When each picture was recorded and what was done with it, without names. It shows that nothing was "
                "changed since.",
            ),
        )
    )
    if any(item.findings for item in request.items):
        fields.append(
            Field(
                "include.findings",
                Kind.TICK,
                translate("packet", "What Counterproof &found"),
                hint=translate(
                    "packet",
                    "A report on how the picture was probably made. Nobody needs it for this request, and “can’t "
                    "tell” in it could be held against you. Leave it out unless somebody asked for it.",
                ),
            )
        )
    if assessment.platform.kind == "hash_programme":
        fields.append(
            Field(
                "include.hashes",
                Kind.TICK,
                translate("packet", "The finger&prints of the pictures"),
                hint=translate("packet", "This programme finds copies by them. No picture can be seen from one."),
            )
        )
    why = translate("packet", "The letters always go in. The rest is your choice.")
    notes = (outlook.no_image,) if outlook.no_image else ()
    return Page("include", Step.INCLUDE, translate("packet", "What should go in?"), why, notes, tuple(fields))


def _image() -> Page:
    question = translate("packet", "Should the picture itself go in?")
    return Page(
        "image",
        Step.INCLUDE,
        question,
        translate(
            "packet",
            "Usually not. They find it by its address, and every copy can be seen by more people. Once it is sent, it "
            "cannot be taken back. In some countries sending it can itself be an offence, even to complain about it.",
        ),
        fields=(
            Field(
                "include.image",
                Kind.RADIO,
                question,
                options=(
                    ("none", translate("packet", "No picture")),
                    ("blurred", translate("packet", "A small, blurred, grey one")),
                    ("full", translate("packet", "The picture as it is, for everyone who opens the packet to see")),
                ),
            ),
        ),
    )
