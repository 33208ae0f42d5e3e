"""The letters say the same in each language: same keys, same placeholders, nothing left in English."""

import copy
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
TEXTS = RESOURCES / "letters" / "text"
LAWS = RESOURCES / "laws"
LANGUAGES = ("en", "fr", "es", "pt", "sw", "ar", "ko", "hi")
RIGHT_TO_LEFT = frozenset({"ar"})
LONGEST_GLOSS = 90  # characters: a gloss stands in brackets after a law's name, in the first line of a letter

# What is rightly the same as in English: technical names everywhere, words that two languages share.
SAME_EVERYWHERE = frozenset({"analysis.sha256", "brief.law", "brief.law_short"})
SAME_IN = {
    "fr": frozenset(
        {
            "common.date",
            "common.item",
            "element.signature",
            "notice.column_image",
            "notice.sign_by_hand",
        }
    ),
}

# A space that may not break, and the joiners that Arabic and Hindi spelling needs, are wanted; nothing else unseen is.
UNSEEN_BUT_WANTED = frozenset("\u00a0\u200c\u200d")

Texts = dict[str, dict[str, str]]


def _read(code: str) -> Texts:
    return tomllib.loads((TEXTS / f"{code}.toml").read_text(encoding="utf-8"))


def _flat(texts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"{section}.{key}": value
        for section, values in texts.items()
        if section != "language"
        for key, value in values.items()
    }


def _placeholders(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{([a-z_]+)\}", text)))


def _unseen(text: str) -> list[str]:
    return [
        f"U+{ord(character):04X}"
        for character in text
        if character not in UNSEEN_BUT_WANTED
        and character != " "
        and unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
    ]


def problems(code: str, texts: Texts, english: Texts) -> list[str]:
    """What is wrong with one language's sentences, each as one line that names the key."""
    found = []
    language = dict(texts.get("language", {}))
    if set(language) != {"code", "name", "direction", "reviewed"}:
        found.append(f"language: keys {sorted(language)}")
    if language.get("code") != code:
        found.append(f"language.code: {language.get('code')}")
    if language.get("direction") != ("rtl" if code in RIGHT_TO_LEFT else "ltr"):
        found.append(f"language.direction: {language.get('direction')}")
    if not isinstance(language.get("reviewed"), bool):
        found.append("language.reviewed: neither true nor false")
    ours, theirs = _flat(texts), _flat(english)
    found += [f"{key}: missing" for key in theirs.keys() - ours.keys()]
    found += [f"{key}: not in English" for key in ours.keys() - theirs.keys()]
    same = SAME_EVERYWHERE | SAME_IN.get(code, frozenset())
    for key in ours.keys() & theirs.keys():
        value = ours[key]
        if not isinstance(value, str) or not value.strip():
            found.append(f"{key}: empty")
            continue
        if value != value.strip() or "  " in value:
            found.append(f"{key}: a space too many")
        if _placeholders(value) != _placeholders(theirs[key]):
            found.append(f"{key}: {_placeholders(value)} instead of {_placeholders(theirs[key])}")
        if re.search(r"[{}]", re.sub(r"\{[a-z_]+\}", "", value)):
            found.append(f"{key}: a brace without its pair")
        if _unseen(value):
            found.append(f"{key}: {_unseen(value)}")
        if code != "en" and value == theirs[key] and key not in same:
            found.append(f"{key}: the same as in English")
    return sorted(found)


def gloss_problems(law: Mapping[str, object]) -> list[str]:
    """What is wrong with the names of one law in the letters' languages."""
    gloss = law.get("gloss")
    if not isinstance(gloss, dict):
        return ["no gloss"]
    found = [f"{code}: missing" for code in LANGUAGES if code not in gloss]
    found += [f"{code}: no language of the letters" for code in gloss if code not in LANGUAGES]
    for code, text in gloss.items():
        if not isinstance(text, str) or not text.strip():
            found.append(f"{code}: empty")
        elif len(text) >= LONGEST_GLOSS:
            found.append(f"{code}: {len(text)} characters")
        elif text != text.strip() or text.endswith("."):
            found.append(f"{code}: a name has no full stop and no space around it")
        elif _unseen(text) or re.search(r"[{}]", text):
            found.append(f"{code}: an unseen character or a brace")
        elif code == "en" and re.search(r"\b(she|he|hers?|his|him|herself|himself)\b", text):
            found.append("en: a gender")
        elif code != "en" and text == gloss.get("en"):
            found.append(f"{code}: the same as in English")
    return sorted(found)


def test_there_is_a_file_for_each_language_and_no_other() -> None:
    assert sorted(path.stem for path in TEXTS.glob("*.toml")) == sorted(LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_says_what_english_says(code: str) -> None:
    assert len(_flat(_read("en"))) > 200
    assert problems(code, _read(code), _read("en")) == []


def test_what_may_be_the_same_as_english_is() -> None:
    """An exception that is no longer needed would let an untranslated sentence through."""
    english = _flat(_read("en"))
    for code, keys in SAME_IN.items():
        texts = _flat(_read(code))
        assert [key for key in keys if texts[key] != english[key]] == []


def _without(texts: Texts) -> None:
    del texts["statement"]["good_faith"]


def _with_one_more(texts: Texts) -> None:
    texts["statement"]["mine"] = "Une phrase."


def _placeholder_lost(texts: Texts) -> None:
    texts["authority"]["body"] = texts["authority"]["body"].replace("{agent}", "X")


def _placeholder_translated(texts: Texts) -> None:
    texts["notice"]["opening_other"] = texts["notice"]["opening_other"].replace("{depicted}", "{personne}")


def _brace_open(texts: Texts) -> None:
    texts["notice"]["why"] += " {"


def _empty(texts: Texts) -> None:
    texts["statement"]["intimate"] = " "


def _left_in_english(texts: Texts) -> None:
    texts["statement"]["accurate"] = _read("en")["statement"]["accurate"]


def _turned(texts: Texts) -> None:
    texts["language"]["direction"] = "rtl"


def _other_code(texts: Texts) -> None:
    texts["language"]["code"] = "es"


def _review_unsaid(texts: Texts) -> None:
    del texts["language"]["reviewed"]


def _direction_override(texts: Texts) -> None:
    texts["notice"]["why"] += "\u202e"


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (_without, "statement.good_faith: missing"),
        (_with_one_more, "statement.mine: not in English"),
        (_placeholder_lost, "authority.body: ['depicted'] instead of ['agent', 'depicted']"),
        (_placeholder_translated, "notice.opening_other: ['personne'] instead of ['depicted']"),
        (_brace_open, "notice.why: a brace without its pair"),
        (_empty, "statement.intimate: empty"),
        (_left_in_english, "statement.accurate: the same as in English"),
        (_turned, "language.direction: rtl"),
        (_other_code, "language.code: es"),
        (_review_unsaid, "language.reviewed: neither true nor false"),
        (_direction_override, "notice.why: ['U+202E']"),
    ],
)
def test_each_fault_is_named(fault: Callable[[Texts], None], named: str) -> None:
    texts = copy.deepcopy(_read("fr"))
    fault(texts)
    assert named in problems("fr", texts, _read("en"))


def test_no_sentence_names_the_gender_of_who_signs() -> None:
    """Forms that only a man or only a woman could sign, or that offer both with a bracket or a point."""
    both = re.compile(r"\(e\)|\(a\)|·|\bsoussigné|\bautorisée?\(|/a\b|@")
    assert both.search("Je soussigné(e)")
    for code in ("fr", "es", "pt"):
        assert [key for key, value in _flat(_read(code)).items() if both.search(value)] == []


def test_french_spacing() -> None:
    """A colon or a semicolon never opens a line, and an apostrophe is the typographic one."""
    wrong = re.compile(r"(?<!\u00a0)[:;]|'")
    assert wrong.search("Objet : l'image")
    assert [key for key, value in _flat(_read("fr")).items() if wrong.search(value)] == []


def test_each_law_has_its_name_in_each_language() -> None:
    laws = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(LAWS.glob("*.toml"))}
    assert laws
    assert {name: found for name, law in laws.items() if (found := gloss_problems(law))} == {}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"fr": None}, "fr: missing"),
        ({"de": "Gesetz"}, "de: no language of the letters"),
        ({"es": ""}, "es: empty"),
        ({"pt": "x" * LONGEST_GLOSS}, f"pt: {LONGEST_GLOSS} characters"),
        ({"sw": "name"}, "sw: the same as in English"),
        ({"ko": "법."}, "ko: a name has no full stop and no space around it"),
        ({"ar": "\u202e"}, "ar: an unseen character or a brace"),
        ({"en": "law on data about herself"}, "en: a gender"),
    ],
)
def test_each_fault_of_a_gloss_is_named(changes: dict[str, str | None], named: str) -> None:
    gloss = {code: "name" if code == "en" else f"name in {code}" for code in LANGUAGES} | changes
    assert named in gloss_problems({"gloss": {code: text for code, text in gloss.items() if text is not None}})
    assert gloss_problems({}) == ["no gloss"]
    assert gloss_problems({"gloss": {code: f"name in {code}" for code in LANGUAGES}}) == []
