"""Helplines: every shipped file holds to its schema, doubts are said, and a bad file is caught."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from desktop import cli
from desktop.safety import helplines
from desktop.safety.helplines import Confidence, Who
from detectors.errors import SetupError

GOOD = """\
name = "Somebody"
who = "all"
countries = ["GB"]
says = "Helps."
web = "example.org"
confidence = "secondary"
source = "a page"
verified_on = 2026-11-23
"""


def one(tmp_path: Path, text: str) -> helplines.Helpline:
    (tmp_path / "one.toml").write_text(text, encoding="utf-8")
    (found,) = helplines.load(tmp_path)
    return found


def test_every_shipped_file_is_sound() -> None:
    files = list(helplines.FOLDER.iterdir())
    assert [f.name for f in files if f.suffix != ".toml"] == []
    found = helplines.load()
    assert len(found) == len(files) >= 20
    assert len({h.name for h in found}) == len(found)
    assert {h.confidence for h in found} == set(Confidence)
    assert {h.who for h in found} == set(Who)
    compiled = datetime.date(2026, 5, 31)
    assert all(h.verified_on >= compiled for h in found if h.verified_on)
    assert all("://" not in h.web for h in found), "addresses are text to copy, written as people say them"


def test_all_that_is_not_verified_says_so() -> None:
    doubted = 0
    for h in helplines.load():
        sure = h.confidence is Confidence.VERIFIED and not h.unchecked
        assert (helplines.CHECK in " ".join(h.lines())) is not sure, h.name
        doubted += not sure
    assert doubted >= 15


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('web = "example.org"\n', ""),
        ("verified_on = 2026-11-23\n", ""),
        ('source = "a page"\n', ""),
        ('"secondary"', '"certain"'),
        ('"secondary"', '"unverified"'),
        ('confidence = "secondary"\n', ""),
        ('who = "all"\n', ""),
        ('"all"', '"women"'),
        ('["GB"]', '["UKR"]'),
        ('["GB"]', "[]"),
        ('["GB"]', '["GB", "*"]'),
        ('["GB"]', '"GB"'),
        ("2026-11-23", '"2026-11-23"'),
        ('says = "Helps."', 'says = ""'),
        ('says = "Helps."', r'says = "Helps.\u202e"'),
        ("name =", "nome ="),
        ("name =", 'unchecked = ["phone"]\nname ='),
        ("name =", 'unchecked = ["fax"]\nname ='),
        ('"Somebody"', '"Somebody'),
    ],
)
def test_a_bad_file_is_caught(tmp_path: Path, was: str, becomes: str) -> None:
    assert one(tmp_path, GOOD).name == "Somebody"
    assert was in GOOD
    with pytest.raises(SetupError) as caught:
        one(tmp_path, GOOD.replace(was, becomes, 1))
    assert caught.value.code == "helplines_damaged"
    assert "takeitdown.ncmec.org" in caught.value.remedy


def test_one_bad_file_among_the_shipped_ones_is_caught(tmp_path: Path) -> None:
    folder = tmp_path / "helplines"
    shutil.copytree(helplines.FOLDER, folder)
    assert helplines.load(folder) == helplines.load()
    (folder / "zz.toml").write_bytes(b"\xff")
    with pytest.raises(SetupError, match=r"zz\.toml"):
        helplines.load(folder)


def test_none_is_no_answer(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SetupError):
            helplines.load(folder)


def test_for_a_country_those_who_help_minors_come_first() -> None:
    found = helplines.for_country("gb", minors=True)
    names = [h.name for h in found]
    assert names[:3] == [
        "Take It Down (NCMEC)",  # verified
        "Internet Watch Foundation (IWF)",
        "Report Remove (Childline and IWF)",
    ]
    sweden = [h.name for h in helplines.for_country("SE", minors=True)]
    assert sweden[:3] == ["ECPAT Sweden", "Take It Down (NCMEC)", "INHOPE"]  # what is in the country comes first
    assert "StopNCII.org" not in names
    assert "Revenge Porn Helpline" not in names
    kinds = [h.who for h in found]
    assert kinds == sorted(kinds, key=[Who.MINORS, Who.ALL].index)


def test_for_adults_none_that_is_for_minors_alone() -> None:
    found = helplines.for_country("GB")
    assert found[0].name == "Revenge Porn Helpline"
    assert found[1].name == "StopNCII.org"
    assert not [h for h in found if h.who is Who.MINORS]


def test_without_a_country_only_those_everywhere() -> None:
    found = helplines.for_country("", minors=True)
    assert found[0].name == "Take It Down (NCMEC)"
    assert {h.countries for h in found} == {("*",)}


def test_every_country_of_the_global_partnership_has_somewhere_to_turn() -> None:
    for code in ["AU", "CA", "CL", "DK", "FR", "IS", "KE", "MX", "NZ", "KR", "ES", "SE", "GB", "US"]:
        assert helplines.for_country(code, minors=True)
        assert helplines.for_country(code)


def test_the_verb_shows_those_of_the_country(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["helplines", "--country", "nz"]) == 0
    shown = capsys.readouterr().out
    assert "netsafe.org.nz" in shown
    assert "Take It Down" not in shown.partition("StopNCII.org")[0]
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert cli.main(["helplines", "--minors"]) == 0
    assert capsys.readouterr().out.startswith("Take It Down (NCMEC): takeitdown.ncmec.org\n")

    def gone(_: Path) -> None:
        raise SetupError("helplines_damaged", "Gone.", "So.")

    monkeypatch.setattr(helplines, "load", gone)
    assert cli.main(["helplines"]) == 1
    assert capsys.readouterr().err == "Gone. So.\n"
