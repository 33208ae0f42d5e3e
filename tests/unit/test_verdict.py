"""The order of strength, the thresholds, and the honesty of the reasons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.finding import Finding, Role, State
from detectors.verdict import Band, Bands, Verdict, decide

BANDS = Bands(likely=0.8, clear=0.3, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=1000, n_synthetic=900)


def finding(role: Role, score: float | None, state: State = State.OK, says: str = "A sentence.") -> Finding:
    return Finding(detector=f"some_{role}", role=role, state=state, score=score, says=says)


def test_a_declaration_outranks_every_score() -> None:
    v = decide([finding(Role.LEARNED, 0.01), finding(Role.DECLARED, 1.0, says="The file says so.")], BANDS)
    assert v.band is Band.DECLARED_SYNTHETIC
    assert v.p_synthetic == 0.99
    assert v.reasons[0] == "The file says so."


def test_a_declaration_that_was_looked_for_and_is_absent_counts_for_nothing() -> None:
    v = decide([finding(Role.LEARNED, 0.1), finding(Role.DECLARED, 0.0)], BANDS)
    assert (v.band, v.p_synthetic) == (Band.NO_SIGNS, 0.1)


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
    assert decide([finding(Role.LEARNED, p)], BANDS).band is band


@pytest.mark.parametrize("state", [State.NOT_APPLICABLE, State.FAILED])
def test_without_a_learned_result_there_is_no_probability(state: State) -> None:
    v = decide([finding(Role.LEARNED, None, state)], BANDS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, None)


def test_nothing_at_all_is_inconclusive() -> None:
    assert decide([], BANDS) == Verdict(Band.INCONCLUSIVE, None, decide([], BANDS).reasons)


def test_an_unstable_score_is_never_likely() -> None:
    v = decide([finding(Role.LEARNED, 0.99, State.INCONCLUSIVE)], BANDS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, 0.99)


def test_context_and_intimacy_never_count() -> None:
    findings = [finding(Role.CONTEXT, 1.0), finding(Role.INTIMACY, 1.0), finding(Role.LEARNED, 0.1)]
    assert decide(findings, BANDS).band is Band.NO_SIGNS


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.floats(0, 1))
def test_a_higher_score_never_lowers_the_band(scores: list[float], more: float) -> None:
    order = [Band.NO_SIGNS, Band.INCONCLUSIVE, Band.LIKELY_SYNTHETIC]
    lower = decide([finding(Role.LEARNED, s) for s in scores], BANDS)
    higher = decide([finding(Role.LEARNED, min(1.0, s + more)) for s in scores], BANDS)
    assert order.index(higher.band) >= order.index(lower.band)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_every_verdict_states_a_measured_error_rate(p: float) -> None:
    assert any("%" in reason for reason in decide([finding(Role.LEARNED, p)], BANDS).reasons)


def test_no_signs_says_that_it_is_no_proof() -> None:
    assert any("not proof that it is real" in r for r in decide([finding(Role.LEARNED, 0.1)], BANDS).reasons)


def test_a_detector_that_failed_is_named_among_the_reasons() -> None:
    failed = finding(Role.DECLARED, None, State.FAILED, says="The check of provenance did not run.")
    assert failed.says in decide([finding(Role.LEARNED, 0.1), failed], BANDS).reasons


@pytest.mark.parametrize("role", [Role.DECLARED, Role.LEARNED])
def test_no_signs_is_never_said_while_a_check_did_not_run(role: Role) -> None:
    found = [finding(Role.LEARNED, 0.1), finding(Role.DECLARED, 0.0)]
    assert decide(found, BANDS).band is Band.NO_SIGNS
    v = decide([*found, finding(role, None, State.FAILED)], BANDS)
    assert (v.band, v.p_synthetic) == (Band.INCONCLUSIVE, 0.1)


@pytest.mark.parametrize("role", [Role.CONTEXT, Role.INTIMACY])
def test_a_failed_check_that_never_counts_changes_no_band(role: Role) -> None:
    assert decide([finding(Role.LEARNED, 0.1), finding(role, None, State.FAILED)], BANDS).band is Band.NO_SIGNS


def test_a_prompt_is_not_among_the_reasons() -> None:
    found = Finding(
        "generation_parameters",
        Role.DECLARED,
        State.OK,
        1.0,
        "Made by X; prompt “cruel words”.",
        details={"in_short": "Made by X."},
    )
    assert decide([found], BANDS).reasons[0] == "Made by X."
