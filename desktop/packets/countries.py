"""The names of countries in the languages of the letters: `resources/countries.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from detectors.errors import SetupError

FILE = Path(__file__).resolve().parents[2] / "resources" / "countries.toml"


def country_name(code: str, language: str) -> str:
    """The country (ISO 3166-1 alpha-2) in words of that language; the code itself where there are none for it.

    Raises SetupError when the file is missing or damaged.
    """
    return names().get(code, {}).get(language, code)


@cache
def names() -> Mapping[str, Mapping[str, str]]:
    """The names by code and language. Raises SetupError when the file is missing or damaged."""
    import tomllib

    try:
        return tomllib.loads(FILE.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as e:
        raise SetupError(
            "countries_damaged", "The names of the countries are missing or damaged.", "Install Counterproof again."
        ) from e
