"""What a verdict is explained with: true to the findings, the right rates, disagreement in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from detectors import quality, wording
from detectors.finding import Finding, Region, Role, State
from detectors.verdict import Band, Bands, Rates, decide

OWN = Rates(false_positive_rate=0.021, recall=0.31, miss_rate=0.19, n_real=123, n_synthetic=456)
BANDS = Bands(0.8, 0.3, 0.007, 0.52, 0.11, 1000, 900, by_quality={"small": OWN, "good": replace(OWN, n_real=99)})
POINTS = {"generated": BANDS, "face_swap": replace(BANDS, n_real=222, by_quality={}), "local_edit": BANDS}
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9


def learned(
    name: str, score: float | None, state: State = State.OK, regions: int = 0, says: str = "So it is.", **details: Any
) -> Finding:
    boxes = tuple(Region("swapped_face", (n, n, 9, 9), 0.9) for n in range(regions))
    return Finding(name, Role.LEARNED, state, score, says, boxes, details=details)


def reasons(*found: Finding) -> tuple[str, ...]:
    return decide(found, POINTS).reasons


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (learned("generated", HIGH), "The check of the whole picture found the marks of an image generator."),
        (
            learned("generated", HIGH, raw={"whole": 2.0, "detail": 1.0}),
            "The check of the whole picture found the marks of an image generator, in the picture as a whole and in "
            "its detail.",
        ),
        (
            learned("generated", HIGH, raw={"whole": 2.0, "detail": -0.1, "companion": 3.0}),
            "The check of the whole picture found the marks of an image generator, in the picture as a whole and not "
            "in its detail.",
        ),
        (
            learned("generated", HIGH, raw={"whole": -2.0, "detail": 3.1}),
            "The check of the whole picture found the marks of an image generator, in its detail and not in the "
            "picture as a whole.",
        ),
        (
            learned("generated", HIGH, raw={"whole": -2.0, "detail": -1.0, "companion": 9.0}),
            "The check of the whole picture found the marks of an image generator.",
        ),
        (
            learned("generated", HIGH, State.INCONCLUSIVE, stability={"jpeg_70": 0.4}),
            "The check of the whole picture found signs that do not last when the picture is changed a little.",
        ),
        (
            learned("generated", HIGH, State.INCONCLUSIVE, colourless=True),
            "The check of the whole picture found signs, but is not to be relied on without colour.",
        ),
        (learned("generated", MIDDLE), "The check of the whole picture could not tell."),
        (learned("generated", LOW), "The check of the whole picture found no signs."),
        (learned("face_swap", HIGH), "The check of the faces found signs of a swap of faces."),
        (learned("face_swap", HIGH, regions=1), "The check of the faces found signs of a swap in one face."),
        (learned("face_swap", HIGH, regions=3), "The check of the faces found signs of a swap in 3 faces."),
        (learned("face_swap", None, State.INCONCLUSIVE), "The check of the faces could not tell."),
        (
            learned("local_edit", HIGH),
            "The check for edited areas found something that does not fit the rest of the picture.",
        ),
        (
            learned("local_edit", HIGH, regions=1),
            "The check for edited areas found one area that does not fit the rest of the picture.",
        ),
        (
            learned("local_edit", HIGH, regions=2),
            "The check for edited areas found 2 areas that do not fit the rest of the picture.",
        ),
    ],
)
def test_what_one_check_found(finding: Finding, sentence: str) -> None:
    assert reasons(finding)[0] == sentence


def test_only_faces_that_look_swapped_are_counted() -> None:
    boxes = tuple(Region(kind, (0, 0, 9, 9), 0.5) for kind in ("swapped_face", "face", "swapped_face"))
    found = replace(learned("face_swap", HIGH), regions=boxes)
    assert reasons(found)[0] == "The check of the faces found signs of a swap in 2 faces."


def test_a_model_that_the_user_added_is_named_as_such() -> None:
    found = learned("third_party:Nadia's", HIGH)
    said = decide([found], {**POINTS, found.detector: replace(BANDS, measured="On your 60 photographs.")}).reasons
    assert said[:2] == (
        "“Nadia's”, a model that you added, found signs that it is synthetic.",
        "On your 60 photographs.",
    )


def test_disagreement_is_said_in_words() -> None:
    assert reasons(learned("face_swap", HIGH, regions=1), learned("generated", LOW))[0] == (
        "The check of the faces found signs of a swap in one face; the check of the whole picture found no signs."
    )
    assert reasons(learned("face_swap", LOW), learned("generated", HIGH), learned("local_edit", MIDDLE))[0] == (
        "The check of the whole picture found the marks of an image generator; the check for edited areas could not "
        "tell; the check of the faces found no signs."
    )


def test_checks_that_agree_share_a_clause() -> None:
    assert reasons(learned("face_swap", LOW), learned("generated", LOW), learned("local_edit", LOW))[0] == (
        "The check of the whole picture, the check of the faces and the check for edited areas found no signs."
    )


@pytest.mark.parametrize(
    ("score", "class_", "sentence"),
    [
        (
            HIGH,
            "small",
            "Of 123 real photographs as small as this one, from sources never used in training, the check of the whole "
            "picture wrongly called 2.1 % likely synthetic.",
        ),
        (
            HIGH,
            "good",  # too few photographs
            "Of 1,000 real photographs, from sources never used in training, the check of the whole picture wrongly "
            "called 0.7 % likely synthetic.",
        ),
        (
            LOW,
            "small",
            "No signs found; that is not proof that it is real. Of 456 synthetic pictures as small as this one, from "
            "generators never used in training, 19.0 % were missed in this way.",
        ),
        (
            LOW,
            "compressed",  # not measured apart
            "No signs found; that is not proof that it is real. Of 900 synthetic pictures, from generators never used "
            "in training, 11.0 % were missed in this way.",
        ),
        (
            MIDDLE,
            "small",
            "Can't tell. Neither answer would be safe: of 123 real photographs as small as this one, the check of "
            "the whole picture wrongly called 2.1 % likely synthetic, and of 456 synthetic pictures it found 31.0 %.",
        ),
    ],
)
def test_the_rates_are_those_of_pictures_like_this_one(score: float, class_: str, sentence: str) -> None:
    assert reasons(learned("generated", score, quality=class_))[1] == sentence


def test_no_error_among_those_counted_is_a_count_and_no_rate() -> None:
    spotless = {"generated": replace(BANDS, by_quality={"small": replace(OWN, false_positive_rate=0.0)})}
    said = decide([learned("generated", HIGH, quality="small")], spotless).reasons[1]
    assert "wrongly called none likely synthetic" in said
    assert "0.0 %" not in said


def test_too_few_synthetic_pictures_are_too_few_too() -> None:
    few = {"generated": replace(BANDS, by_quality={"small": replace(OWN, n_synthetic=99)})}
    said = decide([learned("generated", HIGH, quality="small")], few).reasons[1]
    assert said.startswith("Of 1,000 real photographs, from")


def test_every_class_of_quality_has_words() -> None:
    assert set(wording.ALIKE) == set(quality.CLASSES)


def test_the_rates_are_those_of_the_detector_that_carries_the_verdict() -> None:
    faces = reasons(learned("face_swap", HIGH), learned("generated", LOW, quality="small"))[1]
    assert faces == (
        "Of 222 real photographs, from sources never used in training, the check of the faces wrongly called 0.7 % "
        "likely synthetic."
    )
    both = reasons(learned("face_swap", HIGH), learned("generated", HIGH, quality="small"))[1]
    assert both.startswith("Of 123 real photographs as small as this one")
    clear = reasons(learned("face_swap", LOW), learned("generated", LOW, quality="small"))[1]
    assert "456 synthetic pictures as small as this one" in clear


def test_a_picture_that_no_check_could_judge_gets_no_rate() -> None:
    drawing = learned("generated", None, State.NOT_APPLICABLE, says="This does not look like a photograph.")
    assert reasons(drawing) == (wording.NOT_JUDGED, "This does not look like a photograph.")
    assert reasons(drawing, learned("face_swap", LOW))[:2] == (
        "The check of the faces found no signs.",
        wording.NOT_AS_A_WHOLE,
    )


def test_what_was_not_looked_for_is_said_unless_something_was_found() -> None:
    quick = learned("local_edit", None, State.NOT_APPLICABLE, says="Looked for in the thorough check only.")
    for score, said in ((LOW, True), (MIDDLE, True), (HIGH, False)):
        assert (quick.says in reasons(learned("generated", score), quick)) is said


def test_a_declaration_comes_first_and_what_was_seen_after_it() -> None:
    mark = Finding("c2pa", Role.DECLARED, State.OK, 1.0, "The file says so.")
    assert reasons(learned("generated", LOW), mark) == (
        "The file says so.",
        wording.MARK,
        "The check of the whole picture found no signs.",
    )


def test_one_without_measured_rates_speaks_for_itself() -> None:
    said = reasons(learned("generated", LOW), learned("unmeasured", HIGH, says="It sees something."))
    assert said[:2] == ("The check of the whole picture found no signs.", "It sees something.")
    assert decide([learned("generated", LOW)], POINTS).band is Band.NO_SIGNS
