"""Settings: what they are, their defaults with reasons, and the file that overrides them."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from detectors.finding import Profile
from detectors.intake.limits import Limits

APP = "counterproof"
FILE_NAME = "settings.toml"
PROFILES = ("auto", *Profile)
# Longer would be a lock that is turned off.
MOST_LOCK_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the command line and the window; `[limits]` in the file overrides fields of `limits`."""

    # Worker processes; 0 means one per processor core, which is quickest and leaves the machine usable.
    jobs: int = 0
    # `auto` spends more on a few single files, where a person waits for one answer, and less the more files there are.
    profile: str = "auto"
    # Findings are remembered under a key made from the content itself, so they are no list of what was checked.
    cache: bool = True
    # What a file may cost; each field says why. A file beyond a limit is refused, and listed with the reason.
    limits: Limits = field(default_factory=Limits)
    # An open casebook closes itself after so many minutes without a key or a mouse. It cannot be turned off.
    lock_minutes: int = 10


def config_path() -> str:
    """Where the settings file is looked for: the user's configuration folder on this platform."""
    from platformdirs import user_config_dir

    return os.path.join(user_config_dir(APP, appauthor=False), FILE_NAME)


def load(path: str | None = None, err: TextIO | None = None) -> Settings:
    """The settings from the file, or the defaults when there is none.

    A file that cannot be understood is kept aside under another name, the defaults hold, and `err` (standard error
    when None) says so. Never raises for what is in the file.
    """
    path = config_path() if path is None else path
    err = sys.stderr if err is None else err
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        err.write(f"The settings file {path} cannot be read ({error.strerror}); the defaults are used.\n")
        return Settings()
    try:
        return _parse(data)
    except ValueError as error:
        err.write(f"The settings file was not understood: {error}. The defaults are used. {_set_aside(path)}\n")
        return Settings()


def _set_aside(path: str) -> str:
    """Rename the file so that it is neither lost nor read again; say where it went."""
    aside = f"{path}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        os.rename(path, aside)
    except OSError as error:
        return f"It is still at {path} ({error.strerror})."
    return f"Your file is kept at {aside}."


def _parse(data: bytes) -> Settings:
    """Settings from TOML bytes. Raises ValueError, with the reason in plain words."""
    import tomllib

    values = tomllib.loads(data.decode("utf-8"))
    limits = values.pop("limits", {})
    known = {"jobs": _jobs, "profile": _profile, "cache": _switch, "lock_minutes": _lock_minutes}
    if unknown := sorted(values.keys() - known.keys()):
        raise ValueError(f"there is no setting called {unknown[0]!r}")
    if not isinstance(limits, dict):
        raise ValueError("limits is a section: write [limits] on a line of its own")
    checked: dict[str, Any] = {key: known[key](value) for key, value in values.items()}
    return Settings(**checked, limits=_limits(limits))


def _jobs(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 256:
        raise ValueError("jobs must be a whole number from 0 to 256")
    return value


def _profile(value: object) -> str:
    if value not in PROFILES:
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}")
    return str(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("cache must be true or false")
    return value


def _lock_minutes(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MOST_LOCK_MINUTES:
        raise ValueError(f"lock_minutes must be a whole number from 1 to {MOST_LOCK_MINUTES}")
    return value


def _limits(values: Mapping[str, object]) -> Limits:
    """Limits with some fields replaced; each must be a positive number of its default's kind."""
    limits = Limits()
    changed: dict[str, Any] = {}
    for key, value in values.items():
        if key not in {f.name for f in dataclasses.fields(Limits)}:
            raise ValueError(f"there is no limit called {key!r}")
        whole = isinstance(getattr(limits, key), int)
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not value > 0:
            raise ValueError(f"the limit {key} must be a {'whole ' if whole else ''}number above 0")
        changed[key] = value if whole else float(value)
    return dataclasses.replace(limits, **changed)
