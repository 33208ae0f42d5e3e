"""Frames: what is packed is unpacked, and nothing malformed gets past."""

from __future__ import annotations

import base64
import io
import json
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import FileRefused, FileUnreadable
from detectors.finding import Finding, Overlay, Region, Role, State
from detectors.intake.media import Media
from detectors.intake.protocol import (
    MAX_HEADER,
    ProtocolError,
    error_header,
    error_of,
    outcome_of,
    pack,
    read_frame,
    unpack,
    write_frame,
)
from detectors.report import Analysis, Hashes

SHA = "ab" * 32
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def analysis(score: float | None = 0.5, region_score: float | None = 0.5) -> Analysis:
    finding = Finding("d", Role.LEARNED, State.OK, score, "says", (Region("face", (1, 2, 3, 4), region_score),))
    return Analysis(Media("PNG", 10, 20, 30), Hashes(SHA, "cd" * 16), (finding,), 1.5, 1.0, {"a": "b"})


def with_details(details: dict[str, Any]) -> Analysis:
    made = analysis()
    return replace(made, findings=(replace(made.findings[0], details=details),))


@given(st.dictionaries(st.text(), JSON, max_size=4), st.binary(max_size=200))
def test_round_trip(header: dict[str, Any], payload: bytes) -> None:
    assert unpack(pack(header, payload)) == (header, payload)
    stream = io.BytesIO()
    write_frame(stream, header, payload)
    assert stream.getvalue() == pack(header, payload)
    stream.seek(0)
    assert read_frame(stream, 200) == (header, payload)


MAP = {"rows": 2, "columns": 3, "values": base64.b64encode(bytes(range(6))).decode(), "box": [0, 0, 10, 20]}


def test_a_map_arrives_whole() -> None:
    found = outcome_of({"analysis": with_details({"map": MAP}).to_record()}, b"", SHA).analysis
    assert found is not None
    assert found.findings[0].overlay == Overlay(2, 3, bytes(range(6)), (0, 0, 10, 20))
    assert analysis().findings[0].overlay is None


@pytest.mark.parametrize(
    "fault",
    [
        {"rows": 3},
        {"rows": 0, "values": ""},
        {"rows": -2, "columns": -3},
        {"rows": 513, "columns": 1, "values": base64.b64encode(bytes(513)).decode()},
        {"rows": None},
        {"values": "!!!"},
        {"values": 6},
        {"box": [0, 0, 10]},
        {"box": [0, 0, 0, 5]},
        {"box": [0, 0, 10, 10**7]},
        {"box": "four"},
    ],
)
def test_a_malformed_map_is_refused(fault: dict[str, Any]) -> None:
    record = with_details({"map": {**MAP, **fault}}).to_record()
    with pytest.raises(ProtocolError):
        outcome_of({"analysis": record}, b"", SHA)


@pytest.mark.parametrize("fault", [[], "map", 3, {}])
def test_what_is_no_map_is_refused(fault: object) -> None:
    with pytest.raises(ProtocolError):
        outcome_of({"analysis": with_details({"map": fault}).to_record()}, b"", SHA)


@given(st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    for read in (lambda: unpack(noise), lambda: read_frame(io.BytesIO(noise), 1000)):
        try:
            header, _ = read()
        except (ProtocolError, EOFError):
            continue
        assert isinstance(header, dict)


@given(JSON)
def test_any_json_in_place_of_an_analysis_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError):
        outcome_of({"analysis": value}, b"", SHA)


@given(st.data())
def test_an_analysis_with_any_one_value_replaced_never_crashes(data: st.DataObject) -> None:
    record = analysis().to_record()
    parts: list[tuple[Any, Any]] = [(record, k) for k in record]
    for part in (record["media"], record["hashes"], record["findings"][0], record["findings"][0]["regions"][0]):
        parts += [(part, k) for k in part]
    holder, key = data.draw(st.sampled_from(parts))
    holder[key] = data.draw(JSON)
    try:
        outcome = outcome_of({"analysis": record}, b"", SHA)
    except ProtocolError:
        return
    assert outcome.analysis is not None
    assert outcome.analysis.hashes.sha256 == SHA
    json.dumps(outcome.analysis.to_record(), allow_nan=False)


def test_outcome() -> None:
    outcome = outcome_of(*unpack(pack({"analysis": analysis().to_record()}, b"jpeg")), SHA)
    assert (outcome.analysis, outcome.error, outcome.thumbnail) == (analysis(), None, b"jpeg")
    assert outcome_of({"analysis": analysis(None, None).to_record()}, b"", SHA).thumbnail is None


@pytest.mark.parametrize("bad", [analysis(1.01), analysis(-0.1), analysis(0.5, 2.0), analysis(float("inf"))])
def test_scores_outside_their_range_are_refused(bad: Analysis) -> None:
    with pytest.raises(ProtocolError, match="score"):
        outcome_of({"analysis": bad.to_record()}, b"", SHA)


@pytest.mark.parametrize("details", [{}, {"level": "x"}, {"level": None}, {"level": ["explicit"]}])
def test_an_intimacy_level_that_does_not_exist_is_refused(details: dict[str, Any]) -> None:
    """Reports and tables look the level up, so one bad answer would end the whole run."""
    record = analysis().to_record()
    record["findings"][0] |= {"detector": "intimacy", "role": "intimacy", "details": details}
    with pytest.raises(ProtocolError, match="level"):
        outcome_of({"analysis": record}, b"", SHA)
    record["findings"][0]["details"] = {"level": "suggestive"}
    assert outcome_of({"analysis": record}, b"", SHA).analysis is not None


@pytest.mark.parametrize("place", ["ms", "model_ms", "finding"])
def test_durations_that_are_no_numbers_are_refused(place: str) -> None:
    record = analysis().to_record()
    holder = record["findings"][0] if place == "finding" else record
    holder["ms" if place == "finding" else place] = "inf"  # float() reads this word
    with pytest.raises(ProtocolError, match="duration"):
        outcome_of({"analysis": record}, b"", SHA)


def test_another_files_analysis_is_refused() -> None:
    with pytest.raises(ProtocolError, match="another file"):
        outcome_of({"analysis": analysis().to_record()}, b"", "00" * 32)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_not_sent_and_not_taken(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        pack({"x": number})
    body = json.dumps({"x": number}).encode()
    with pytest.raises(ProtocolError):
        unpack(struct.pack(">II", len(body), 0) + body)


@pytest.mark.parametrize("lengths", [(MAX_HEADER + 1, 0), (2, 1001)])
def test_lengths_are_capped_before_anything_is_read(lengths: tuple[int, int]) -> None:
    with pytest.raises(ProtocolError, match="longer"):
        read_frame(io.BytesIO(struct.pack(">II", *lengths)), 1000)


def test_errors_cross_with_their_kind() -> None:
    for error in (FileRefused("c", "m", "r"), FileUnreadable("c", "m", "r")):
        got = error_of(unpack(pack(error_header(error)))[0])
        assert type(got) is type(error)
        assert got.to_json() == error.to_json()
    assert len(error_of(error_header(FileRefused("c", "m" * 10_000, "r"))).message) == 2000
