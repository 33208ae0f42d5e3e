"""The blur's state machine: clear pixels live only inside a press, whatever the order of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from desktop.window.reveal import Request, Reveal, Stage
from tests.gui.fakes import FakePixels

PIXELS = FakePixels(1, 1, b"abc")


def test_a_press_asks_for_clear_pixels_and_a_release_drops_them() -> None:
    reveal = Reveal()
    assert reveal.press() is None
    blurred = reveal.show("a.jpg")
    assert blurred is not None
    assert blurred.blurred
    assert reveal.arrived(blurred, PIXELS)
    clear = reveal.press()
    assert clear is not None
    assert not clear.blurred
    assert reveal.stage is Stage.OPENING
    assert reveal.arrived(clear, PIXELS)
    assert reveal.stage is Stage.CLEAR
    assert reveal.release()
    assert (reveal.stage, reveal.clear) == (Stage.BLURRED, None)
    assert reveal.blurred is PIXELS
    assert not reveal.release()


def test_late_pixels_and_those_of_another_press_or_picture_are_thrown_away() -> None:
    reveal = Reveal()
    first = reveal.show("a.jpg")
    held = reveal.press()
    assert first is not None
    assert held is not None
    reveal.release()
    assert not reveal.arrived(held, PIXELS)
    again = reveal.press()
    assert not reveal.arrived(held, PIXELS)
    reveal.show("b.jpg")
    assert again is not None
    assert not reveal.arrived(again, PIXELS)
    assert not reveal.arrived(first, PIXELS)
    assert reveal.clear is None
    assert reveal.blurred is None


def test_blurred_pixels_may_arrive_during_a_press() -> None:
    reveal = Reveal()
    blurred = reveal.show("a.jpg")
    reveal.press()
    assert blurred is not None
    assert reveal.arrived(blurred, PIXELS)
    assert reveal.stage is Stage.OPENING


def test_a_failure_ends_the_press_and_is_kept_to_be_said() -> None:
    reveal = Reveal()
    reveal.show("a.jpg")
    held = reveal.press()
    assert held is not None
    assert reveal.failed(held, "Gone.")
    assert (reveal.stage, reveal.problem) == (Stage.BLURRED, "Gone.")
    reveal.show("b.jpg")
    assert reveal.problem == ""
    assert not reveal.failed(held, "Late.")


@given(st.lists(st.sampled_from(["show", "none", "press", "release", "arrive", "arrive_old", "fail"]), max_size=30))
def test_clear_pixels_exist_only_while_held(steps: list[str]) -> None:
    reveal, requests, held = Reveal(), [], False
    for step in steps:
        made: Request | None = None
        if step in ("show", "none"):
            made = reveal.show("a.jpg" if step == "show" else None)
            held = False
        elif step == "press":
            made = reveal.press()
            held = held or made is not None
        elif step == "release":
            reveal.release()
            held = False
        elif requests:
            request = requests[-1] if step != "arrive_old" else requests[0]
            if step == "fail":
                if reveal.failed(request, "x"):
                    held = False
            else:
                reveal.arrived(request, PIXELS)
        if made is not None:
            requests.append(made)
        assert (reveal.clear is not None) == (reveal.stage is Stage.CLEAR)
        assert held or reveal.clear is None
        assert (reveal.stage in (Stage.OPENING, Stage.CLEAR)) == held
