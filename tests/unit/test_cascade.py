"""The cascade: what the fast check clears is left alone, all else gets the thorough check. Detectors are planted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from detectors.errors import SetupError
from detectors.finding import CHECKS, Finding, Profile, Role, State
from detectors.inference import manifest
from detectors.intake import worker
from detectors.intake.limits import Limits
from detectors.intake.picture import Picture
from detectors.report import Analysis, Report
from detectors.verdict import Band, Bands, decide
from tests.unit.signal_pictures import jpeg, scene

FAST = Bands(likely=0.9, clear=0.3, false_positive_rate=0.01, recall=0.5, miss_rate=0.2, n_real=100, n_synthetic=100)
POINTS = {Profile.FAST: {"generated": FAST, "face_swap": FAST}, Profile.THOROUGH: {"generated": FAST}}
PHOTO = jpeg(scene())


@dataclass
class Planted:
    """Says what it is told for each profile, and notes what it was asked for. A None is a failure."""

    name: str
    role: Role
    scores: Mapping[Profile, float | None]
    asked: list[Profile] = field(default_factory=list)

    def find(self, picture: Picture, profile: Profile) -> Finding:
        self.asked.append(profile)
        score = self.scores[profile]
        if score is None:
            raise SetupError("planted", "it was planted.", "None.")
        return Finding(self.name, self.role, State.OK, score, f"{self.name} at {profile}.")


def both(name: str, role: Role, fast: float | None, thorough: float | None = 0.77) -> Planted:
    return Planted(name, role, {Profile.FAST: fast, Profile.THOROUGH: thorough})


def analysed(monkeypatch: pytest.MonkeyPatch, profile: Profile, detectors: Sequence[Planted]) -> Analysis:
    monkeypatch.setattr(worker, "detectors", lambda: {d.name: d for d in detectors})
    monkeypatch.setattr(manifest, "operating_points", POINTS.__getitem__)
    header, _ = worker.analyse(PHOTO, hashlib.sha256(PHOTO).hexdigest(), Limits(), profile, False)
    return Analysis.from_record(header["analysis"])


@pytest.mark.parametrize("fast", [0.0, 0.299])
def test_what_the_fast_check_clears_is_left_alone(monkeypatch: pytest.MonkeyPatch, fast: float) -> None:
    whole, hint = both("generated", Role.LEARNED, fast), both("intimacy", Role.INTIMACY, 0.9)
    found = analysed(monkeypatch, Profile.CASCADE, [whole, hint])
    assert found.profile is Profile.FAST
    assert [f.score for f in found.findings] == [fast, 0.9]
    assert (whole.asked, hint.asked) == ([Profile.FAST], [Profile.FAST])


@pytest.mark.parametrize("fast", [0.3, 0.6, 0.95, None])
def test_all_else_is_looked_at_thoroughly_by_the_learned_ones(
    monkeypatch: pytest.MonkeyPatch, fast: float | None
) -> None:
    whole, mark, hint = (
        both("generated", Role.LEARNED, fast, 0.05),
        both("c2pa", Role.DECLARED, 0.0),
        both("intimacy", Role.INTIMACY, 0.9),
    )
    found = analysed(monkeypatch, Profile.CASCADE, [mark, whole, hint])
    assert found.profile is Profile.THOROUGH
    assert [(f.detector, f.score) for f in found.findings] == [("c2pa", 0.0), ("generated", 0.05), ("intimacy", 0.9)]
    assert (mark.asked, whole.asked, hint.asked) == ([Profile.FAST], list(CHECKS), [Profile.FAST])
    assert decide(found.findings, POINTS[Profile.THOROUGH]).band is Band.NO_SIGNS


def test_one_unclear_detector_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, face = both("generated", Role.LEARNED, 0.1), both("face_swap", Role.LEARNED, 0.5)
    assert analysed(monkeypatch, Profile.CASCADE, [whole, face]).profile is Profile.THOROUGH
    assert whole.asked == face.asked == list(CHECKS)


def test_what_the_file_says_of_itself_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, mark = both("generated", Role.LEARNED, 0.6), both("c2pa", Role.DECLARED, 1.0)
    assert analysed(monkeypatch, Profile.CASCADE, [mark, whole]).profile is Profile.FAST
    assert whole.asked == [Profile.FAST]


def test_a_thorough_check_that_fails_is_not_hidden_behind_the_quick_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found = analysed(monkeypatch, Profile.CASCADE, [both("generated", Role.LEARNED, 0.6, None)])
    assert found.profile is Profile.THOROUGH
    assert [f.state for f in found.findings] == [State.FAILED]


@pytest.mark.parametrize("profile", CHECKS)
def test_the_other_profiles_ask_once(monkeypatch: pytest.MonkeyPatch, profile: Profile) -> None:
    whole = both("generated", Role.LEARNED, 0.6, 0.6)
    assert analysed(monkeypatch, profile, [whole]).profile is profile
    assert whole.asked == [profile]


def test_the_time_of_both_checks_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(ticks) * 1.0)
    found = analysed(monkeypatch, Profile.CASCADE, [both("generated", Role.LEARNED, 0.6)])
    assert found.findings[0].ms == 2000.0


def test_a_result_rests_on_one_of_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    record = analysed(monkeypatch, Profile.FAST, [both("generated", Role.LEARNED, 0.1)]).to_record()
    with pytest.raises(ValueError, match="one of the checks"):
        Analysis.from_record({**record, "profile": "cascade"})
    with pytest.raises(KeyError):
        Analysis.from_record({k: v for k, v in record.items() if k != "profile"})


def test_json_lines_keep_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = analysed(monkeypatch, Profile.CASCADE, [both("generated", Role.LEARNED, 0.6)])
    line = Report("a.jpg", found, decide(found.findings, POINTS[found.profile])).to_json()
    assert list(line) == [
        *("schema", "path", "status", "error", "sha256", "media", "verdict", "p_synthetic", "reasons"),
        *("intimacy", "findings", "hashes", "ms"),
    ]
    assert list(line["findings"][0]) == ["detector", "state", "score", "says", "regions", "model", "ms"]
