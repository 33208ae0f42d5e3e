"""The elements: what a law or a form may need in a request, each with the fields of the request that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Element:
    """One element. `title` is its name in a list, `missing` says that it is not there, `remedy` what to do.

    `fields` are the keys of `counterproof.request/1` that hold it, such as `sender.email`. `statement` says that it is
    something that the sender declares, by choice and never by default. `own` are `missing` and `remedy` as the person
    in the picture reads them, where that person asks; empty where they are the same.
    """

    id: str
    title: str
    missing: str
    remedy: str
    fields: tuple[str, ...]
    statement: bool = False
    own: tuple[str, str] | tuple[()] = ()


def _text(element: str, title: str, missing: str, remedy: str, field: str = "") -> Element:
    return Element(element, title, missing, remedy, (f"texts.{field or element}",))


def _statement(element: str, title: str, missing: str, remedy: str, field: str) -> Element:
    return Element(element, title, missing, remedy, (f"statements.{field}",), statement=True)


_ALL = (
    Element(
        "role",
        "Who asks",
        "It is not said who asks: the person in the picture, somebody acting for that person, or a parent or guardian.",
        "Choose who you are in this request.",
        ("sender.role",),
    ),
    Element(
        "recipient",
        "Whom it goes to",
        "It is not said whom this goes to.",
        "Add the name of the company or office, and its address or e-mail address.",
        ("recipient.name", "recipient.address", "recipient.email"),
    ),
    Element(
        "signature",
        "Signature",
        "The request is not signed.",
        "Type your name as a signature, or choose to sign by hand.",
        ("signature.kind", "signature.text"),
    ),
    Element(
        "locators",
        "Where it is",
        "There is no address of where it was seen.",
        "Add the address of each post or page. Where there is none, add the account and when it was posted.",
        ("sighting.url", "sighting.posted_at"),
    ),
    Element(
        "content_identification",
        "What it is",
        "It is not said which picture or video is meant.",
        "Say in a few words which one it is, such as: the second picture in the post.",
        ("item.identification",),
    ),
    _text(
        "reason",
        "Why it must go",
        "It is not said why this is unlawful or does harm.",
        "Write one or two sentences, such as: it shows me as if naked, it is made up, and I never agreed to it.",
    ),
    _text(
        "relevant_information",
        "What shows that there was no consent",
        "Nothing is said from which they can see that there was no consent.",
        "Write one or two sentences, such as: I never posed for it and never agreed that anyone makes or shows it.",
    ),
    _statement(
        "nonconsent_statement",
        "Without consent",
        "It is not stated that it was published without consent.",
        "Read the statement, and tick it if it is true.",
        "nonconsent",
    ),
    _statement(
        "good_faith_statement",
        "In good faith",
        "It is not stated that the request is made in good faith.",
        "Read the statement, and tick it if it is true.",
        "good_faith",
    ),
    _statement(
        "accuracy_statement",
        "Accurate and complete",
        "It is not stated that the request is accurate and complete.",
        "Read the request once more, and tick the statement if it is true.",
        "accurate",
    ),
    _statement(
        "intimate_declaration",
        "It is intimate",
        "It is not stated that the picture or video is intimate.",
        "Read the statement, and tick it if it is true.",
        "intimate",
    ),
    _statement(
        "perjury_statement",
        "Under penalty of perjury",
        "The statement under penalty of perjury is not made.",
        "This is a statement with legal weight. Talk to a lawyer if you can, and tick it only if it is true.",
        "perjury",
    ),
    _statement(
        "unauthorised_use_statement",
        "Use not allowed",
        "It is not stated that nobody with rights in the work allowed this use.",
        "Read the statement, and tick it if it is true.",
        "unauthorised_use",
    ),
    _statement(
        "ownership_statement",
        "The work is yours",
        "It is not stated that you own the rights in the photo or video, or act for the owner.",
        "Tick the statement only if you took the photo or video, or were given the rights in it.",
        "ownership",
    ),
    _text(
        "work_identification",
        "Your work",
        "It is not said which photo or video of yours was used.",
        "Say which one, and where it was first shown.",
        "work",
    ),
    _text(
        "right_infringed",
        "Which right",
        "It is not said which right is infringed.",
        "Name it, such as: privacy and dignity.",
    ),
    _text(
        "remedial_action",
        "What they should do",
        "It is not said what they should do.",
        "Say it, such as: remove it, and keep copies of it from coming back.",
    ),
    Element(
        "contact",
        "How to reach you",
        "There is no way to reach you.",
        "Add an e-mail address, a phone number or a postal address.",
        ("sender.email", "sender.phone", "sender.address"),
    ),
    Element("contact_name", "Your name", "The name of the sender is not there.", "Add your name.", ("sender.name",)),
    Element(
        "contact_email",
        "E-mail address",
        "Your e-mail address is not there.",
        "Add an e-mail address. One that you use for this alone is fine.",
        ("sender.email",),
    ),
    Element(
        "contact_phone",
        "Phone number",
        "Your phone number is not there.",
        "Add a phone number.",
        ("sender.phone",),
    ),
    Element(
        "contact_address",
        "Postal address",
        "Your postal address is not there.",
        "Add a postal address. That of an office or a lawyer is safer than your home.",
        ("sender.address",),
    ),
    Element(
        "legal_name",
        "Legal name of the person in it",
        "The legal name of the person in the picture is not there.",
        "Add the name as it is in the passport or identity card of that person.",
        ("depicted.legal_name",),
        own=("Your legal name is not there.", "Add your name as it is in your passport or identity card."),
    ),
    Element(
        "identity_disclosure_choice",
        "May they pass on your name",
        "It is not said whether your name may be passed to whoever published it.",
        "Choose yes or no. You may say no.",
        ("sender.identity",),
    ),
    Element(
        "authority_proof",
        "Authority to act",
        "It is not said by what authority you act for the person in the picture.",
        "Say whether you have a written authority, are a lawyer, or are a parent or guardian. "
        "A letter of authority, ready to sign, comes with the packet.",
        ("sender.authority",),
    ),
    _text(
        "jurisdiction_link",
        "What ties it to the country",
        "It is not said what ties this to the country of the law.",
        "Say it, such as: I live there, or the one who posted it lives there.",
    ),
    Element(
        "country",
        "Country",
        "The country where the person in the picture lives is not there.",
        "Choose the country.",
        ("depicted.country",),
        own=("The country where you live is not there.", "Choose your country."),
    ),
    _text(
        "erasure_ground",
        "Ground for erasure",
        "It is not said on which ground they must erase it.",
        "Say it, such as: I object to this use of my likeness, and it was never lawful.",
    ),
    _text(
        "police_reference",
        "Police reference",
        "The number that the police gave to your report is not there.",
        "Add the number. If you have not been to the police yet, that comes first on this way.",
    ),
    Element(
        "prior_request",
        "What you asked before",
        "It is not said that the platform was asked before.",
        "Say whom you asked, when, and under which number.",
        ("texts.prior_request", "earlier.platform", "earlier.sent_at"),
    ),
    _text(
        "prior_steps",
        "Steps so far",
        "It is not said whether you went to the police or a court before.",
        "Say what you did so far. “None so far” is an answer too.",
    ),
    _text(
        "circumstances",
        "What happened",
        "It is not said how it was spread.",
        "Say in order what you know: when and where it appeared, and who passed it on.",
    ),
    _text(
        "vulnerability",
        "Special risk",
        "It is not said whether there is a special risk for the person in the picture.",
        "Say it in a sentence, such as: there are threats because of a public office. “None” is an answer too.",
    ),
    Element(
        "username",
        "Account that published it",
        "The account that published it is not named.",
        "Add the name of the account as it stands in the post.",
        ("sighting.handle",),
    ),
    _text(
        "host_provider",
        "Who holds it",
        "The provider that holds the picture or video is not named.",
        "Name the company that runs the site or app where it is.",
    ),
)

ELEMENTS: Mapping[str, Element] = MappingProxyType({e.id: e for e in _ALL})
# Each of these is one way of the general `contact`: where one of them is demanded, it stands for it.
WAYS_OF_CONTACT = ("contact_email", "contact_phone", "contact_address")
