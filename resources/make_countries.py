"""Make `resources/countries.toml`: the names of the countries in the languages of the letters.

Run from the repository root, once in a blue moon:

    python -m pip install babel==2.19.0     # only this script needs it
    python -m resources.make_countries

The names are those of Unicode's Common Locale Data Repository (CLDR), as Babel ships it, under the Unicode licence,
which is copied into the file.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

OUT = Path(__file__).resolve().parent / "countries.toml"
LANGUAGES = ("en", "fr", "es", "pt", "sw", "ar", "ko", "hi")
# In CLDR, and no country or territory of ISO 3166-1: groups, islands that are part of another code, tests.
NOT_ISO = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"})


def make() -> str:
    """The file as text. Raises ImportError without Babel, and KeyError when a language lacks a country."""
    babel = importlib.import_module("babel")
    core = importlib.import_module("babel.core")
    licence = (Path(str(babel.__file__)).parent / "locale-data" / "LICENSE.unicode").read_text(encoding="utf-8")
    names = {language: babel.Locale.parse(language).territories for language in LANGUAGES}
    codes = sorted(c for c in names["en"] if len(c) == 2 and c.isalpha() and c not in NOT_ISO)
    about = (
        f"The names of the countries (ISO 3166-1, and XK for Kosovo), from Unicode CLDR {core.get_cldr_version()} by "
        f"Babel {babel.__version__}.\nMade by resources/make_countries.py: change nothing here by hand.\n\n{licence}"
    )
    lines = [f"# {line}".rstrip() for line in about.rstrip().splitlines()]
    for code in codes:
        row = ", ".join(f"{language} = {json.dumps(names[language][code], ensure_ascii=False)}" for language in names)
        lines.append(f"{code} = {{{row}}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    OUT.write_text(make(), encoding="utf-8")
