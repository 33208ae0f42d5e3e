"""Settings: defaults, overrides, and what happens to a file that cannot be understood."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from desktop import settings
from desktop.settings import Settings
from detectors.intake.limits import Limits


def load(path: Path, text: str | bytes) -> tuple[Settings, str]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    err = io.StringIO()
    return settings.load(str(path), err), err.getvalue()


def test_without_a_file_the_defaults_hold_in_silence(tmp_path: Path) -> None:
    err = io.StringIO()
    assert settings.load(str(tmp_path / "none.toml"), err) == Settings()
    assert err.getvalue() == ""


def test_the_file_lies_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings.config_path().startswith(str(tmp_path))


def test_values_override_defaults(tmp_path: Path) -> None:
    text = 'jobs = 2\nprofile = "thorough"\ncache = false\nlock_minutes = 1\n[limits]\nmax_bytes = 1000\nseconds = 5\n'
    found, said = load(tmp_path / "settings.toml", text)
    assert said == ""
    assert found == Settings(2, "thorough", False, Limits(max_bytes=1000, seconds=5.0), 1)
    assert isinstance(found.limits.seconds, float)


@pytest.mark.parametrize(
    "text",
    [
        "jobs = -1", "jobs = 1000", "jobs = true", 'jobs = "2"', 'profile = "quick"', "cache = 1", "limits = 3",
        "[limits]\nmax_bytes = 0", "[limits]\nmax_bytes = 1.5", "[limits]\nseconds = true", "[limits]\nother = 3",
        "[limits]\nseconds = nan", "other = 1", "jobs = ", "lock_minutes = 0",
        "lock_minutes = false", "lock_minutes = 61", "lock_minutes = 1.5", b"\xff\xfe", b"\0",
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_kept_aside_and_said(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "settings.toml"
    found, said = load(path, text)
    assert found == Settings()
    [aside] = os.listdir(tmp_path)
    assert aside.startswith("settings.toml.unreadable-")
    assert (tmp_path / aside).read_bytes() == (text if isinstance(text, bytes) else text.encode())
    assert aside in said
    assert "defaults" in said
    assert settings.load(str(path), io.StringIO()) == Settings()


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").mkdir()
    err = io.StringIO()
    assert settings.load(str(tmp_path / "settings.toml"), err) == Settings()
    assert "cannot be read" in err.getvalue()
