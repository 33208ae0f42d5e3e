"""Requests as TOML and JSON: read, written again the same, and refused with a sentence where they must be."""

from __future__ import annotations

import datetime
import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.packets import request as r
from desktop.packets.elements import ELEMENTS
from desktop.packets.request import Request, RequestError, from_json, from_text, from_toml, to_json
from tests.unit.packet_requests import full_request

SCHEMA = 'schema = "counterproof.request/1"\n'
EXAMPLE = Path(__file__).resolve().parents[2] / "resources" / "demo" / "request.toml"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "requests.md"


@pytest.fixture(scope="module")
def full() -> Request:
    from desktop.packets import facts

    return full_request(facts.load(), "us_tida", "x", "agent")


def refused(text: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        from_text(text)
    error = caught.value
    assert error.code == "bad_request"
    assert error.message
    assert error.remedy
    assert error.message.isprintable()
    assert len(error.message) < 600
    return error


def outcome(read: Callable[[str], Request], text: str) -> Request | RequestError:
    try:
        return read(text)
    except RequestError as error:
        return error


def test_an_empty_draft_is_a_request() -> None:
    assert from_toml(SCHEMA) == Request()
    assert to_json(Request()) == '{"schema":"counterproof.request/1"}'
    assert from_json(to_json(Request())) == Request()


def test_the_example_is_read_and_holds_what_the_demo_folder_holds() -> None:
    import hashlib

    request = from_toml(EXAMPLE.read_text("utf-8"))
    digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in EXAMPLE.parent.iterdir()}
    assert [i.sha256 in digests for i in request.items] == [True]
    assert from_json(to_json(request)) == request


def test_json_is_the_same_twice_sorted_and_compact(full: Request) -> None:
    text = to_json(full)
    assert text == to_json(from_json(text))
    assert from_json(text) == full
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert "\n" not in text
    assert "null" not in text


def test_toml_and_json_say_the_same(full: Request) -> None:
    values = json.loads(to_json(full))

    def toml(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(toml, value)) + "]"
        return json.dumps(value, ensure_ascii=False)

    text = "".join(f"{key} = {toml(value)}\n" for key, value in values.items())
    assert from_toml(text) == full
    assert from_text(text) == full
    assert from_text(to_json(full)) == full


@pytest.mark.parametrize("written", ["2026-11-28", '"2026-11-28"'])
def test_dates_as_toml_dates_or_as_text(written: str) -> None:
    request = from_toml(f"{SCHEMA}[signature]\ndate = {written}\n[[sighting]]\nposted_at = {written}\n")
    assert request.signature.date == datetime.date(2026, 11, 28)
    assert request.sightings[0].posted_at == "2026-11-28"


def test_times_keep_their_offset_and_lose_fractions() -> None:
    request = from_toml(
        f"{SCHEMA}created_at = 2026-11-28T12:00:00.9+03:00\n[[sighting]]\nseen_at = 2026-11-28T18:30:00.123\n"
    )
    assert request.created_at is not None
    assert request.created_at.isoformat() == "2026-11-28T12:00:00+03:00"
    assert request.sightings[0].seen_at == "2026-11-28T18:30:00"


def test_countries_are_upper_case_and_the_uk_is_gb() -> None:
    request = from_toml(f'{SCHEMA}depicted.country = "ke"\nsender.country = "uk"\n')
    assert (request.depicted.country, request.sender.country) == ("KE", "GB")


def test_a_short_finding_is_completed_and_loses_its_details() -> None:
    short = '{detector = "generated", role = "learned", state = "ok", score = 0.9, says = "x", details = {map = 1}}'
    request = from_toml(f"{SCHEMA}[[item]]\nfindings = {{p_synthetic = 1, findings = [{short}]}}\n")
    assert request.items[0].findings is not None
    (finding,) = request.items[0].findings.findings
    assert finding["details"] == {}
    assert finding["model"] is None
    assert from_json(to_json(request)) == request


# What is wrong, and what the message or the remedy must hold.
WRONG = {
    "an unknown key": ("sender.emial = 'x'", "Did you mean email?"),
    "an unknown table": ("[sendr]\nname = 'x'", "Did you mean sender?"),
    "a key far from any": ("zzzzqqq = 1", "The keys here are"),
    "a key with invisible letters": ('"a\\u202Eb" = 1', "[U+202E]"),
    "no table": ("sender = 'x'", "table"),
    "no list": ("item = 'x'", "list"),
    "a list of no tables": ("item = [1]", "table"),
    "a number for a text": ("sender.name = 1", "text in quotes"),
    "a text for a number": ("[[item]]\nid = '1'", "whole number"),
    "true for a number": ("[[item]]\nid = true", "whole number"),
    "a text for yes or no": ("statements.accurate = 'yes'", "true or false"),
    "a number for yes or no": ("statements.accurate = 1", "true or false"),
    "no such choice": ("sender.role = 'agnet'", "Did you mean agent?"),
    "no such language": ("language = 'de'", "Choose: en, fr"),
    "no such age": ("gate.age = 'yes'", "adults, minor, unsure"),
    "no country": ("depicted.country = 'Kenya'", "two letters"),
    "no id": ("law = '../us_tida'", "not the id"),
    "an id in capitals": ("platform = 'X'", "not the id"),
    "no date": ("signature.date = 'yesterday'", "not a date"),
    "a time for a date": ("signature.date = 2026-11-28T10:00:00Z", "without a time"),
    "a time of day for a date": ("signature.date = 10:00:00", "not a date"),
    "a time without an offset": ("created_at = 2026-11-28T10:00:00", "offset"),
    "a date for a time": ("created_at = 2026-11-28", "offset"),
    "a year before zip files": ("created_at = 1979-11-28T10:00:00Z", "1981"),
    "the end of time": ("sighting = [{seen_at = 9999-12-31T23:59:59-23:59}]", "2099"),
    "no time zone": ("sighting = [{time_zone = 'Mars/Olympus'}]", "IANA"),
    "a time zone that is a path": ("sighting = [{time_zone = '../../etc/passwd'}]", "IANA"),
    "not a fingerprint": ("item = [{sha256 = 'abc'}]", "64 digits"),
    "a picture with no width": ("item = [{width = 0}]", "whole number"),
    "not a probability": ("item = [{findings = {p_synthetic = 1.5}}]", "0 to 1"),
    "nan": ("item = [{findings = {p_synthetic = nan}}]", "0 to 1"),
    "infinity": ("item = [{findings = {p_synthetic = inf}}]", "0 to 1"),
    "not a finding": ("item = [{findings = {findings = [{says = 'x'}]}}]", "not a finding"),
    "a finding that is no table": ("item = [{findings = {findings = [1]}}]", "not a finding"),
    "nan in a finding": (
        "item = [{findings = {findings = [{detector='a', role='learned', state='ok', says='x', score=nan}]}}]",
        "cannot stand here",
    ),
    "two items with one id": ("item = [{id = 3}, {id = 3}]", "twice"),
    "a sighting of no item": ("sighting = [{item = 7}]", "no item 7"),
    "a control character": ('sender.name = "a\\u0007b"', "U+0007"),
    "a C1 control character": ('sender.name = "a\\u0085b"', "U+0085"),
    "a newline in a short text": ('sighting = [{handle = "a\\nb"}]', "U+000A"),
    "an escape in a long text": ('texts.reason = "\\u001B[31m"', "U+001B"),
    "a newline in an address": ('sighting = [{url = "https://x.com/\\n=cmd()"}]', "U+000A"),
    "a long name": (f"sender.name = '{'n' * 2001}'", "at most 2,000"),
    "notes of a megabyte": (f"sighting = [{{note = '{'n' * 1_000_000}'}}]", "at most 20,000"),
    "a long address": (f"sighting = [{{url = 'https://x.com/{'n' * 8000}'}}]", "at most 8,000"),
    "another schema": ("", "schema"),
    "nested lists": (f"also = {'[' * 5000}{']' * 5000}", "nested too deep"),
    "a huge number": (f"item = [{{id = {'9' * 5000}}}]", "not valid TOML"),
    "a large number": (f"item = [{{id = {'9' * 400}}}]", "whole number"),
    "a huge number as a choice": (f"language = {'9' * 400}", "very large number"),
    "a key twice": ("law = 'a'\nlaw = 'b'", "not valid TOML"),
    "no TOML": ("law = ", "not valid TOML"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_with_the_reason(case: str) -> None:
    text, holds = WRONG[case]
    error = refused(("schema = 'x/1'\n" if case == "another schema" else SCHEMA) + text)
    assert holds in f"{error.message} {error.remedy}"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"a": NaN}',
        '{"schema": "counterproof.request/1", "law": "a", "law": "b"}',
        '{"schema": "counterproof.request/1", "sender": {"name": "\\ud800"}}',
        '{"schema": "counterproof.request/1", "item": [{"findings": {"p_synthetic": 1e999}}]}',
        '{"schema": "counterproof.request/1", "sender": null}',
        '{"a":' * 100_000,
        "{" + " " * r.MOST_BYTES,
    ],
    ids=["cut", "nan", "doubled", "surrogate", "infinite", "null", "deep", "large"],
)
def test_json_that_is_wrong(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", ["[]", "1", '"x"'])
def test_json_that_is_no_object(text: str) -> None:
    with pytest.raises(RequestError):
        from_json(text)


def test_what_is_refused_names_the_place() -> None:
    assert refused(f"{SCHEMA}[[item]]\n[[item]]\nid = 2\nsha256 = 'abc'").key == "item.2.sha256"
    assert refused(f"{SCHEMA}sender.emial = 'x'").key == "sender.emial"


def test_more_than_fit() -> None:
    one = "[[sighting]]\n"
    assert len(from_toml(SCHEMA + one * r.MOST_SIGHTINGS).sightings) == r.MOST_SIGHTINGS
    assert "20,001" in refused(SCHEMA + one * (r.MOST_SIGHTINGS + 1)).message


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 500_000 + " = 1",
        "[" + ' . "a"' * 200_000 + "]",
        "".join(f"[x{n}.a.a.a.a.a]\n" for n in range(60_000)),
        "a.b.c.d.e = 1",
        "".join(f"[x{n}.a]\n" for n in range(80_000)),
        "also = {" + ",".join(f"x{n}" + ".a" * 20 + "=1" for n in range(20_000)) + "}",
        'also = {a = """b"""", c' + ".a" * 100_000 + " = 1}",
        "also = {a = '''b'''', c" + ".a" * 100_000 + " = 1}",
        "also = [" + "1," * 400_000 + "]",
        "#'\na" + ".a" * 100_000 + " = 1 #'",
    ],
    ids=range(10),
)
def test_what_would_take_the_parser_long_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    assert "too many dots" in refused(SCHEMA + text).message
    assert time.process_time() - started < 2  # about 0.1 s; without the check, minutes


@pytest.mark.parametrize(
    "text",
    [
        "# " + "." * 200,
        f"texts.reason = '{'A. ' * 6_000}'",
        f'texts.reason = "{"...," * 4_000}"',
        f'texts.reason = """{"." * 300}\n\\"""{"." * 300}"""',
        f"texts.reason = '''{'.' * 300}\n''{'.' * 300}'''",
        r'texts.reason = "\".......\"......."',
    ],
    ids=range(6),
)
def test_dots_in_a_text_cost_nothing(text: str) -> None:
    from_toml(SCHEMA + text)


def test_invisible_characters_and_directions_are_let_in() -> None:
    name = "أمينة \u202e\u200f\u2066 🙂 \ue000"
    assert from_toml(f'{SCHEMA}depicted.name = "{name}"').depicted.name == name


def test_code_and_markup_are_text() -> None:
    text = '#read("/etc/passwd") $x$ <script> =cmd() ../../x {{name}}'
    assert from_toml(f"{SCHEMA}texts.reason = '{text}'").texts.reason == text


def test_20000_sightings_are_read_and_written_in_seconds() -> None:
    text = SCHEMA + "".join(
        f'[[sighting]]\nurl = "https://x.com/example/status/{n}"\nhandle = "@a"\nseen_at = 2026-11-28T10:00:00Z\n'
        for n in range(r.MOST_SIGHTINGS)
    )
    started = time.process_time()
    request = from_toml(text)
    assert from_json(to_json(request)) == request
    assert time.process_time() - started < 20  # about 1.2 s here


def _texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)


def _value(field: Any) -> st.SearchStrategy[Any] | None:
    if field.type == "str" and field.metadata["kind"] in (r._short, r._long, r._url, r._lines):
        return _texts()
    return st.booleans() if field.type == "bool" else None


def _records(kind: type) -> st.SearchStrategy[Any]:
    values = {f.name: v for f in fields(kind) if (v := _value(f)) is not None}
    return st.builds(kind, **values)


TABLES = {f.name: type(f.default) for f in fields(Request) if is_dataclass(f.default)}


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({name: _records(kind) for name, kind in TABLES.items()}),
    st.lists(_records(r.RequestItem), max_size=3),
    st.lists(_records(r.RequestSighting), max_size=3),
)
def test_json_gives_back_whatever_was_written(
    tables: dict[str, Any], items: list[r.RequestItem], sightings: list[r.RequestSighting]
) -> None:
    numbered = tuple(replace(item, id=n) for n, item in enumerate(items, 1))
    request = Request(**tables, items=numbered, sightings=tuple(sightings))
    assert from_json(to_json(request)) == request


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text("[]{}=\".'#\n0123456789abeE+-_", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = outcome(from_text, text)
    assert isinstance(found, Request) or found.remedy


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.dates().map(str),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["item", "sender", "id", "url", "findings", "date", "x"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from([f.metadata.get("key", f.name) for f in fields(Request)]),
)
def test_any_value_anywhere_is_read_or_refused(value: Any, key: str) -> None:
    found = outcome(from_json, json.dumps({"schema": r.SCHEMA, key: value}))
    assert isinstance(found, Request) or found.remedy


def test_each_field_of_an_element_is_a_key_of_a_request() -> None:
    known = {
        f"{f.metadata.get('key', f.name)}.{inner.name}"
        for f in fields(Request)
        if isinstance(f.metadata["kind"], type)
        for inner in fields(f.metadata["kind"])
    }
    named = {field for e in ELEMENTS.values() for field in e.fields}
    assert len(named) > 30
    assert named <= known


def test_every_key_is_in_the_documentation() -> None:
    text = DOCS.read_text("utf-8")

    def keys(kind: type) -> set[str]:
        inner = {k for f in fields(kind) if isinstance(f.metadata["kind"], type) for k in keys(f.metadata["kind"])}
        return inner | {f.metadata.get("key", f.name) for f in fields(kind)}

    wanted = keys(Request)
    assert len(wanted) > 80
    assert [key for key in sorted(wanted) if f"`{key}`" not in text and f"[{key}]" not in text] == []
    blocks = text.split("```toml\n")[1:]
    assert blocks
    for block in blocks:
        example = block.partition("```")[0]
        assert tomllib.loads(example)
        from_toml(example)
