"""Content Credentials: each state apart from the others, on signed files of our own and on the public test set."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from detectors.finding import Profile, State
from detectors.signals.c2pa import detector, may_carry
from resources.make_demo import signed
from tests.unit.signal_pictures import by_hand, from_bytes, jpeg, scene

PLAIN = jpeg(scene())


def find(data: bytes):
    return detector.find(from_bytes(data), Profile.FAST)


@pytest.mark.parametrize("source_type", ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"])
def test_a_signed_ai_picture_is_declared(source_type: str) -> None:
    finding = find(signed(PLAIN, source_type))
    assert (finding.state, finding.score) == (State.OK, 1.0)
    assert "Counterproof demo" in finding.says
    assert "does not check" in finding.says
    assert finding.details["digital_source_types"] == [source_type]
    assert finding.details["actions"] == ["c2pa.created"]
    assert finding.details["generator"].startswith("Counterproof demo")
    assert finding.details["on_trust_list"] is False


@pytest.mark.parametrize("source_type", ["digitalCapture", "algorithmicMedia"])
def test_a_signed_picture_that_is_not_ai_scores_zero_and_says_what_it_is(source_type: str) -> None:
    finding = find(signed(PLAIN, source_type))
    assert (finding.state, finding.score) == (State.OK, 0.0)
    assert "say: " in finding.says


def test_no_manifest_is_said_to_prove_nothing() -> None:
    finding = find(PLAIN)
    assert (finding.state, finding.score) == (State.OK, 0.0)
    assert "proves nothing" in finding.says


def test_a_changed_picture_is_inconclusive_and_never_absent() -> None:
    data = bytearray(signed(PLAIN, "trainedAlgorithmicMedia"))
    data[-200] ^= 0x01  # in the entropy-coded part
    picture = by_hand("JPEG", bytes(data))
    finding = detector.find(picture, Profile.FAST)
    assert (finding.state, finding.score) == (State.INCONCLUSIVE, None)
    assert "changed after they were signed" in finding.says
    assert "claim that AI" in finding.says


def test_a_broken_manifest_is_inconclusive() -> None:
    data = signed(PLAIN, "trainedAlgorithmicMedia")
    at = data.index(b"c2pa.signature")
    finding = detector.find(by_hand("JPEG", data[:at] + b"\xff" * 40 + data[at + 40 :]), Profile.FAST)
    assert (finding.state, finding.score) == (State.INCONCLUSIVE, None)


def test_an_ingredient_from_ai_is_named() -> None:
    store = {
        "active_manifest": "b",
        "manifests": {
            "a": {"assertions": [_created("trainedAlgorithmicMedia")]},
            "b": {
                "assertions": [_created("humanEdits")],
                "signature_info": {"issuer": "X"},
                "ingredients": [{"title": "in.png", "active_manifest": "a"}],
            },
        },
    }
    finding = detector._judge(store, "Valid")
    assert finding.score == 1.0
    assert "a picture it was made from: made by generative AI" in finding.says
    del store["manifests"]["a"]
    assert detector._judge(store, "Valid").score == 0.0


def _created(source_type: str) -> dict[str, object]:
    return {
        "label": "c2pa.actions.v2",
        "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": source_type}]},
    }


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        (["signingCredential.untrusted"], State.OK),
        (["signingCredential.untrusted", "signingCredential.expired"], State.OK),
        (["signingCredential.expired", "assertion.dataHash.mismatch"], State.INCONCLUSIVE),
        (["signingCredential.revoked"], State.INCONCLUSIVE),
        (["something.new"], State.INCONCLUSIVE),
        ([], State.INCONCLUSIVE),
    ],
)
def test_only_an_unknown_or_outdated_signer_is_tolerated(codes: list[str], state: State) -> None:
    manifest = {"assertions": [_created("trainedAlgorithmicMedia")]}
    store = {"active_manifest": "a", "manifests": {"a": manifest}, "validation_status": [{"code": c} for c in codes]}
    finding = detector._judge(store, "Invalid")
    assert finding.state is state
    assert finding.score == (1.0 if state is State.OK else None)


@pytest.mark.parametrize("data", [None, [], [1], {"actions": 5}, {"actions": [3]}, "x"])
def test_odd_assertions_of_a_hostile_signer_do_no_harm(data: object) -> None:
    store = {"active_manifest": "a", "manifests": {"a": {"assertions": [{"label": "c2pa.actions", "data": data}]}}}
    assert detector._judge(store, "Valid").score == 0.0


def test_names_from_the_file_are_made_harmless() -> None:
    store = {"active_manifest": "a", "manifests": {"a": {"signature_info": {"issuer": "Re\u202eal\n" + "x" * 500}}}}
    says = detector._judge(store, "Valid").says
    assert "\u202e" not in says
    assert "\n" not in says
    assert len(says) < 300


def test_formats_without_a_place_for_manifests_do_not_apply() -> None:
    assert detector.find(by_hand("BMP"), Profile.FAST).state is State.NOT_APPLICABLE


def test_a_plain_file_costs_little_and_does_not_load_the_library() -> None:
    code = (
        "import sys; from tests.unit.signal_pictures import *; from detectors.signals.c2pa import detector\n"
        "from detectors.finding import Profile; detector.find(from_bytes(jpeg(scene())), Profile.FAST)\n"
        "sys.exit('c2pa' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
    picture = from_bytes(PLAIN)
    times = []
    for _ in range(50):
        start = time.perf_counter()
        detector.find(picture, Profile.FAST)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.0002


def test_the_pre_check_sees_every_manifest_and_pointer() -> None:
    assert may_carry(from_bytes(signed(PLAIN, "digitalCapture")))
    assert may_carry(by_hand("JPEG", PLAIN, untrusted_xmp='<x dcterms:provenance="http://127.0.0.1/"/>'))
    assert not may_carry(from_bytes(PLAIN))


# File of the public test sets -> state, score, words that must be said.
KNOWN = {
    "c2pa-rs__C.jpg": (State.OK, 0.0, "without a trained model"),
    "c2pa-rs__C_with_CAWG_data.jpg": (State.OK, 0.0, "digital camera"),
    "jpeg__adobe-20220124-C.jpg": (State.OK, 0.0, "do not say that AI"),
    "jpeg__adobe-20220124-CA.jpg": (State.OK, 0.0, "do not say that AI"),
    "jpeg__adobe-20220124-A.jpg": (State.OK, 0.0, "No Content Credentials"),
    "c2pa-rs__no_manifest.jpg": (State.OK, 0.0, "No Content Credentials"),
    "jpeg__adobe-20220124-E-dat-CA.jpg": (State.INCONCLUSIVE, None, "the picture was changed"),
    "jpeg__adobe-20220124-XCA.jpg": (State.INCONCLUSIVE, None, "the picture was changed"),
    "jpeg__adobe-20220124-E-sig-CA.jpg": (State.INCONCLUSIVE, None, "signature does not match"),
    "jpeg__adobe-20220124-E-uri-CA.jpg": (State.INCONCLUSIVE, None, "a part of them was changed"),
    "c2pa-rs__no_alg.jpg": (State.INCONCLUSIVE, None, "could not be read"),
    "c2pa-rs__cloudx.jpg": (State.INCONCLUSIVE, None, "deliberately not fetched"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_public_conformance_files(shared: Path, name: str) -> None:
    state, score, words = KNOWN[name]
    data = (shared / "data" / "originals" / "c2pa" / name).read_bytes()
    finding = detector.find(by_hand("JPEG", data), Profile.FAST)
    assert (finding.state, finding.score) == (state, score)
    assert words in finding.says


@pytest.mark.parametrize(
    ("name", "kind", "issuer"),
    [("b29339a1293ae4.jpg", "JPEG", "Google LLC"), ("f9c12cdce0d807.png", "PNG", "OpenAI")],
)
def test_generators_whose_certificates_ran_out_still_count(shared: Path, name: str, kind: str, issuer: str) -> None:
    finding = detector.find(by_hand(kind, (shared / "data" / "originals" / name).read_bytes()), Profile.FAST)
    assert finding.score == 1.0
    assert issuer in finding.says
    assert "run out" in finding.says
