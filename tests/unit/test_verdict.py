"""The order of strength, the thresholds, and the honesty of the reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.finding import Finding, Role, State
from detectors.verdict import Band, Bands, Verdict, decide, mixture

BANDS = Bands(likely=0.8, clear=0.3, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=1000, n_synthetic=900)
POINTS = {
    "generated": replace(BANDS, weight=0.6),
    "face_swap": replace(BANDS, likely=0.95, clear=0.4, weight=0.25, n_real=222),
    "local_edit": replace(BANDS, likely=0.9, clear=0.2, weight=0.15),
}


def finding(role: Role, score: float | None, state: State = State.OK, says: str = "A sentence.") -> Finding:
    name = "generated" if role is Role.LEARNED else f"some_{role}"
    return Finding(detector=name, role=role, state=state, score=score, says=says)


def learned(name: str, score: float | None, state: State = State.OK) -> Finding:
    return Finding(detector=name, role=Role.LEARNED, state=state, score=score, says=f"{name} speaks.")


def test_a_declaration_outranks_every_score() -> None:
    v = decide([finding(Role.LEARNED, 0.01), finding(Role.DECLARED, 1.0, says="The file says so.")], POINTS)
    assert v.band is Band.DECLARED_SYNTHETIC
    assert v.p_synthetic == 0.99
    assert v.reasons[0] == "The file says so."


def test_a_declaration_that_was_looked_for_and_is_absent_counts_for_nothing() -> None:
    v = decide([finding(Role.LEARNED, 0.1), finding(Role.DECLARED, 0.0)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.NO_SIGNS, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("p", "band"),
    [
        (0.0, Band.NO_SIGNS),
        (0.299, Band.NO_SIGNS),
        (0.3, Band.INCONCLUSIVE),
        (0.799, Band.INCONCLUSIVE),
        (0.8, Band.LIKELY_SYNTHETIC),
        (1.0, Band.LIKELY_SYNTHETIC),
    ],
)
def test_bands_meet_at_the_thresholds(p: float, band: Band) -> None:
    assert decide([finding(Role.LEARNED, p)], POINTS).band is band


@pytest.mark.parametrize("state", [State.NOT_APPLICABLE, State.FAILED])
def test_without_a_learned_result_there_is_no_probability(state: State) -> None:
    v = decide([finding(Role.LEARNED, None, state)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, None)


def test_nothing_at_all_is_inconclusive() -> None:
    assert decide([], POINTS) == Verdict(Band.INCONCLUSIVE, None, decide([], POINTS).reasons)


def test_an_unstable_score_is_never_likely() -> None:
    v = decide([finding(Role.LEARNED, 0.99, State.INCONCLUSIVE)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, pytest.approx(0.99))


def test_context_and_intimacy_never_count() -> None:
    findings = [finding(Role.CONTEXT, 1.0), finding(Role.INTIMACY, 1.0), finding(Role.LEARNED, 0.1)]
    assert decide(findings, POINTS).band is Band.NO_SIGNS


SCORES = st.dictionaries(st.sampled_from(sorted(POINTS)), st.floats(0, 1), min_size=1)


@given(SCORES, st.floats(0, 1))
def test_a_higher_score_never_lowers_band_or_probability(scores: dict[str, float], more: float) -> None:
    order = [Band.NO_SIGNS, Band.INCONCLUSIVE, Band.LIKELY_SYNTHETIC]
    lower = decide([learned(n, s) for n, s in scores.items()], POINTS)
    higher = decide([learned(n, min(1.0, s + more)) for n, s in scores.items()], POINTS)
    assert order.index(higher.band) >= order.index(lower.band)
    assert lower.p_synthetic is not None
    assert higher.p_synthetic is not None
    assert higher.p_synthetic >= lower.p_synthetic - 1e-12


def test_each_detector_is_placed_by_its_own_operating_point() -> None:
    quiet = learned("generated", 0.1)
    assert decide([quiet, learned("face_swap", 0.94)], POINTS).band is Band.INCONCLUSIVE
    assert decide([quiet, learned("face_swap", 0.95)], POINTS).band is Band.LIKELY_SYNTHETIC
    assert decide([quiet, learned("local_edit", 0.94)], POINTS).band is Band.LIKELY_SYNTHETIC
    assert decide([quiet, learned("face_swap", 0.39)], POINTS).band is Band.NO_SIGNS
    assert decide([quiet, learned("local_edit", 0.39)], POINTS).band is Band.INCONCLUSIVE


def test_a_detector_that_does_not_apply_neither_raises_nor_clears() -> None:
    for score, band in ((0.1, Band.NO_SIGNS), (0.5, Band.INCONCLUSIVE), (0.9, Band.LIKELY_SYNTHETIC)):
        alone = decide([learned("generated", score)], POINTS)
        beside = decide([learned("generated", score), learned("face_swap", None, State.NOT_APPLICABLE)], POINTS)
        assert (beside.band, beside.p_synthetic) == (alone.band, alone.p_synthetic) == (band, pytest.approx(score))


def test_no_signs_needs_a_look_at_the_whole_picture() -> None:
    v = decide([learned("generated", None, State.NOT_APPLICABLE), learned("face_swap", 0.01)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, pytest.approx(0.01))


def test_a_likely_face_stands_beside_an_unsteady_whole() -> None:
    found = [learned("generated", 0.9, State.INCONCLUSIVE), learned("face_swap", 0.99)]
    assert decide(found, POINTS).band is Band.LIKELY_SYNTHETIC
    assert decide([learned("generated", 0.1), learned("face_swap", 0.99, State.INCONCLUSIVE)], POINTS).band is (
        Band.INCONCLUSIVE
    )


def test_the_probability_is_a_mixture_of_the_ways_to_be_synthetic() -> None:
    ratio = 0.6 * (0.1 / 0.9) + 0.25 * (0.2 / 0.8) + 0.15 * (0.9 / 0.1)
    assert mixture({"generated": 0.1, "face_swap": 0.2, "local_edit": 0.9}, POINTS) == pytest.approx(
        ratio / (1 + ratio)
    )
    ratio = (0.6 * (0.1 / 0.9) + 0.25 * (0.9 / 0.1)) / 0.85
    assert mixture({"generated": 0.1, "face_swap": 0.9}, POINTS) == pytest.approx(ratio / (1 + ratio))
    assert mixture({"face_swap": 0.37}, POINTS) == pytest.approx(0.37)
    assert mixture({}, POINTS) is None
    for certain in (0.0, 1.0):
        assert mixture({"generated": certain}, POINTS) == pytest.approx(certain, abs=2e-6)


def test_a_detector_without_measured_rates_moves_nothing_but_keeps_no_signs_away() -> None:
    v = decide([learned("generated", 0.1), learned("unmeasured", 0.99)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, pytest.approx(0.1))
    v = decide([learned("generated", 0.9), learned("unmeasured", 0.01)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.LIKELY_SYNTHETIC, pytest.approx(0.9))


def test_the_rates_quoted_are_those_of_the_detector_that_carries_the_verdict() -> None:
    v = decide([learned("generated", 0.1), learned("face_swap", 0.99)], POINTS)
    assert any("222 real" in r for r in v.reasons)
    assert not any(
        "222 real" in r for r in decide([learned("generated", 0.9), learned("face_swap", 0.1)], POINTS).reasons
    )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_every_verdict_states_a_measured_error_rate(p: float) -> None:
    assert any("%" in reason for reason in decide([finding(Role.LEARNED, p)], POINTS).reasons)


def test_no_signs_says_that_it_is_no_proof() -> None:
    assert any("not proof that it is real" in r for r in decide([finding(Role.LEARNED, 0.1)], POINTS).reasons)


def test_a_detector_that_failed_is_named_among_the_reasons() -> None:
    failed = finding(Role.DECLARED, None, State.FAILED, says="The check of provenance did not run.")
    assert failed.says in decide([finding(Role.LEARNED, 0.1), failed], POINTS).reasons


@pytest.mark.parametrize("role", [Role.DECLARED, Role.LEARNED])
def test_no_signs_is_never_said_while_a_check_did_not_run(role: Role) -> None:
    found = [finding(Role.LEARNED, 0.1), finding(Role.DECLARED, 0.0)]
    assert decide(found, POINTS).band is Band.NO_SIGNS
    v = decide([*found, finding(role, None, State.FAILED)], POINTS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, pytest.approx(0.1))


@pytest.mark.parametrize("role", [Role.CONTEXT, Role.INTIMACY])
def test_a_failed_check_that_never_counts_changes_no_band(role: Role) -> None:
    assert decide([finding(Role.LEARNED, 0.1), finding(role, None, State.FAILED)], POINTS).band is Band.NO_SIGNS


def test_a_prompt_is_not_among_the_reasons() -> None:
    found = Finding(
        "generation_parameters",
        Role.DECLARED,
        State.OK,
        1.0,
        "Made by X; prompt “cruel words”.",
        details={"in_short": "Made by X."},
    )
    assert decide([found], POINTS).reasons[0] == "Made by X."
