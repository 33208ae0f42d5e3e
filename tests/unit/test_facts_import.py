"""Newer facts from a file: what is hostile is refused, what changes is shown, and what was added says so for good."""

from __future__ import annotations

import datetime
import io
import os
import random
import stat
import zipfile
from pathlib import Path

import pytest

from desktop.packets import facts, facts_import
from desktop.packets.facts import Facts, FactsError
from desktop.packets.facts_import import Proposal, apply_import, check_import

TODAY = datetime.date(2026, 11, 28)
TIDA = (facts.RESOURCES / "laws" / "us_tida.toml").read_text("utf-8")
X = (facts.RESOURCES / "platforms" / "x.toml").read_text("utf-8")
NETSAFE = (facts.RESOURCES / "helplines" / "netsafe.toml").read_text("utf-8")


@pytest.fixture
def shipped() -> Facts:
    return facts.load()


def single(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def zipped(tmp_path: Path, files: dict[str, str | bytes], **entry: int) -> Path:
    path = tmp_path / "facts.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in entry.items():
                setattr(info, key, value)
            z.writestr(info, data)
    return path


def refused(path: Path, known: Facts, code: str) -> FactsError:
    with pytest.raises(FactsError) as e:
        check_import(path, known, TODAY)
    assert e.value.code == code, e.value.message
    assert e.value.message.isprintable()
    assert len(e.value.message) < 400
    assert e.value.remedy
    return e.value


def test_a_changed_address_is_risky_and_comes_first(tmp_path: Path, shipped: Facts) -> None:
    changed = X.replace("help.x.com/forms/safety-and-sensitive-content/take-it-down", "x-help.example/steal")
    changed = changed.replace("No account is needed.", "No account is needed for it.")
    proposal = check_import(single(tmp_path, "x.toml", changed), shipped, TODAY)
    assert set(proposal.files) == {"platforms/x.toml"}
    first, second = proposal.differences
    assert first == facts_import.Difference(
        "platforms/x",
        "channels take_it_down address",
        "https://help.x.com/forms/safety-and-sensitive-content/take-it-down",
        "https://x-help.example/steal",
        risky=True,
    )
    assert (second.key, second.risky) == ("says", False)


@pytest.mark.parametrize(
    ("name", "was", "becomes", "key"),
    [
        ("us_tida", '["depicted", "agent", "guardian"]', '["depicted"]', "who"),
        ("us_tida", "hours = 48", "hours = 480", "deadline hours"),
        (
            "us_tida",
            'id = "signature"\nneed = "always"',
            'id = "signature"\nneed = "sensible"',
            "elements signature need",
        ),
        ("us_tida", 'offer = "normal"', 'offer = "with_lawyer"', "offer"),
        ("us_tida", 'confidence = "verified"', 'confidence = "secondary"', "confidence"),
        ("us_tida", "2026-05-19", "2025-05-19", "in_force_since"),
        ("us_tida", 'platform = "us_ftc"', 'platform = "court"', "next 1 platform"),
        ("us_tida", "A platform that serves", "Write to desk@evil.example. A platform that serves", "says"),
        ("us_tida", "A platform that serves", "Call +1 202 555 0100. A platform that serves", "says"),
        ("us_tida", "A platform that serves", "See evil.example. A platform that serves", "says"),
        ("x", '"twitter.com"', '"twitter.example"', "hosts"),
        ("x", 'account = "no"', 'account = "yes"', "channels take_it_down account"),
        ("x", "Open the menu of the post and", "Go to the other page and", "channels in_app steps"),
        ("x", 'value = "sender_name"', 'value = "contact_address"', "channels take_it_down fields 3 value"),
        ("x", r"/status/\d+", r"/statuses/\d+", "urls 1 pattern"),
        ("netsafe", 'web = "netsafe.org.nz"', 'web = "netsafe.example"', "web"),
    ],
)
def test_what_steers_a_request_is_risky(
    tmp_path: Path, shipped: Facts, name: str, was: str, becomes: str, key: str
) -> None:
    text = {"us_tida": TIDA, "x": X, "netsafe": NETSAFE}[name]
    assert was in text
    proposal = check_import(single(tmp_path, f"{name}.toml", text.replace(was, becomes, 1)), shipped, TODAY)
    risky = [d.key for d in proposal.differences if d.risky]
    assert key in risky


def test_a_warning_that_would_no_longer_be_shown_is_risky(tmp_path: Path, shipped: Facts) -> None:
    first = shipped.law("us_tida").warnings[0]
    hidden = TIDA.replace(f'"{first}"', f'{{says = "{first}", for = "lawyer"}}')
    assert hidden != TIDA
    (difference,) = check_import(single(tmp_path, "us_tida.toml", hidden), shipped, TODAY).differences
    assert (difference.key, difference.new, difference.risky) == (f"warnings_for {first}", "lawyer", True)


def test_words_alone_are_not_risky(tmp_path: Path, shipped: Facts) -> None:
    text = TIDA.replace("US law of 2025", "Law of the United States of 2025")
    text = text.replace("verified_on = 2026-11-23", "verified_on = 2026-11-27")
    proposal = check_import(single(tmp_path, "us_tida.toml", text), shipped, TODAY)
    assert [(d.key, d.risky) for d in proposal.differences] == [("gloss en", False), ("verified_on", False)]


def test_all_of_a_new_file_is_shown(tmp_path: Path, shipped: Facts) -> None:
    new = X.replace('["x.com", "twitter.com"]', '["y.example"]')
    proposal = check_import(single(tmp_path, "y.toml", new), shipped, TODAY)
    assert {d.old for d in proposal.differences} == {""}
    order = [d.risky for d in proposal.differences]
    assert order == sorted(order, reverse=True)
    assert ("hosts", "y.example") in {(d.key, d.new) for d in proposal.differences if d.risky}


def test_what_was_taken_away_is_shown(tmp_path: Path, shipped: Facts) -> None:
    start = TIDA.index('[[element]]\nid = "signature"')
    text = TIDA[:start] + TIDA[TIDA.index('[[element]]\nid = "content_identification"') :]
    proposal = check_import(single(tmp_path, "us_tida.toml", text), shipped, TODAY)
    assert ("elements signature need", "always", "") in {(d.key, d.old, d.new) for d in proposal.differences if d.risky}


def test_an_archive_of_all_kinds_is_added_and_says_so_for_good(tmp_path: Path, shipped: Facts) -> None:
    archive = zipped(
        tmp_path,
        {
            "laws/": "",
            "laws/us_tida.toml": TIDA.replace("US law of 2025", "A law of 2025"),
            "platforms/x.toml": X.replace("No account is needed.", "None is needed."),
            "helplines/netsafe.toml": NETSAFE.replace("netsafe.org.nz", "netsafe.example"),
        },
    )
    proposal = check_import(archive, shipped, TODAY)
    assert list(proposal.files) == ["helplines/netsafe.toml", "laws/us_tida.toml", "platforms/x.toml"]
    added = tmp_path / "added"
    before = facts.load(added=added)
    apply_import(proposal, added, TODAY)
    after = facts.load(added=added)
    assert after is not before
    assert after.added_by_hand == {"laws/us_tida", "platforms/x", "helplines/netsafe"}
    for fact in (after.law("us_tida"), after.platform("x")):
        assert fact.doubts()[0] == "Added by hand on 28 November 2026: check before sending."
    assert "Added by hand on 28 November 2026" in after.helplines["netsafe"].says
    assert after.helplines["netsafe"].web == "netsafe.example"
    assert facts.load().law("us_tida").doubts() == shipped.law("us_tida").doubts()
    stored = added / "2026-11-28" / "laws" / "us_tida.toml"
    assert stored.read_text("utf-8") == TIDA.replace("US law of 2025", "A law of 2025")
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert sorted(p.name for p in added.rglob("*.*")) == ["netsafe.toml", "us_tida.toml", "x.toml"]


def test_what_is_there_already_is_nothing_new(tmp_path: Path, shipped: Facts) -> None:
    refused(single(tmp_path, "us_tida.toml", TIDA), shipped, "facts_nothing_new")


@pytest.mark.parametrize("read", ["2026-11-22", "2026-11-29"])
def test_what_is_older_or_from_the_future_is_refused(tmp_path: Path, shipped: Facts, read: str) -> None:
    text = TIDA.replace("verified_on = 2026-11-23", f"verified_on = {read}")
    refused(single(tmp_path, "us_tida.toml", text), shipped, "facts_older")


def test_what_is_no_longer_verified_is_older(tmp_path: Path, shipped: Facts) -> None:
    import re

    text = re.sub(r"^(source|verified_on|unchecked) = .*\n", "", TIDA, flags=re.MULTILINE)
    text = text.replace('confidence = "verified"', 'confidence = "unverified"', 1)
    refused(single(tmp_path, "us_tida.toml", text), shipped, "facts_older")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\u202e",
        "name = ",
        "x = " + "[" * 50_000,
        "x = " + "9" * 50_000,
        TIDA.replace("name =", f"{'k' * 10_000} = 1\nname =", 1),
        TIDA.replace("TAKE IT DOWN Act", "A" * 2_001, 1),
        TIDA.replace("TAKE IT DOWN Act", r"TAKE IT \u202eDOWN Act", 1),
        TIDA.replace('platform = "us_ftc"', 'platform = "us_fcc"'),
        X.replace("https://help.x.com/forms", r"https://help.x.com\u200d/forms", 1),
        X.replace("https://help.x.com/forms", "https://help.х.com/forms", 1),  # a Cyrillic letter
        X.replace('"twitter.com"', '"reddit.com"'),
        X.replace(r"\d+", r"(\d+)+$"),
    ],
)
def test_a_malformed_file_is_refused_with_a_sentence(tmp_path: Path, shipped: Facts, text: str) -> None:
    refused(single(tmp_path, "one.toml", text), shipped, "facts_malformed")


@pytest.mark.parametrize("name", ["US.toml", "a b.toml", "ü.toml", "a\u202eb.toml", "a" * 80 + ".toml"])
def test_a_name_that_is_no_id_is_refused(tmp_path: Path, shipped: Facts, name: str) -> None:
    refused(single(tmp_path, name, TIDA), shipped, "facts_malformed")


@pytest.mark.parametrize(
    "name",
    [
        "../laws/us_tida.toml",
        "/laws/us_tida.toml",
        "laws/../../us_tida.toml",
        "laws\\us_tida.toml",
        "laws/us_tida.toml/",
        "laws/sub/us_tida.toml",
        "letters/us_tida.toml",
        "laws/us_tida.txt",
        "laws/US_TIDA.toml",
        "laws/us\u202etida.toml",
        "us_tida.toml",
        "C:/laws/us_tida.toml",
    ],
)
def test_a_path_in_an_archive_is_refused(tmp_path: Path, shipped: Facts, name: str) -> None:
    refused(zipped(tmp_path, {name: TIDA}), shipped, "facts_malformed")
    assert [p.name for p in tmp_path.iterdir()] == ["facts.zip"]


def test_a_link_in_an_archive_is_refused(tmp_path: Path, shipped: Facts) -> None:
    link = (stat.S_IFLNK | 0o777) << 16
    refused(zipped(tmp_path, {"laws/us_tida.toml": "/etc/passwd"}, external_attr=link), shipped, "facts_malformed")
    plain = (stat.S_IFREG | 0o644) << 16
    changed = TIDA.replace("US law of 2025", "A law of 2025")
    assert check_import(zipped(tmp_path, {"laws/us_tida.toml": changed}, external_attr=plain), shipped, TODAY)


def test_a_bomb_is_refused(tmp_path: Path, shipped: Facts) -> None:
    path = zipped(tmp_path, {"laws/us_tida.toml": b"#" * (200 << 20)})
    assert path.stat().st_size < facts_import.MAX_BYTES
    refused(path, shipped, "facts_too_large")
    many = zipped(tmp_path, {f"laws/l{n}.toml": b"#" * (1 << 18) for n in range(5)})
    refused(many, shipped, "facts_too_large")


def test_ten_thousand_entries_are_refused(tmp_path: Path, shipped: Facts) -> None:
    path = tmp_path / "facts.zip"
    with zipfile.ZipFile(path, "w") as z:
        for n in range(10_000):
            z.writestr(f"laws/l{n}.toml", b"")
    refused(path, shipped, "facts_too_large")
    refused(zipped(tmp_path, {f"laws/l{n}.toml": b"" for n in range(201)}), shipped, "facts_too_large")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, shipped: Facts) -> None:
    for size in (facts_import.MAX_BYTES, facts_import.MAX_FILE_BYTES):
        refused(single(tmp_path, "us_tida.toml", TIDA + "#" * size), shipped, "facts_too_large")


def test_a_name_of_very_many_parts_is_refused_before_it_is_parsed(tmp_path: Path, shipped: Facts) -> None:
    """The parser takes a time that grows with the square of the parts: 30,000 of them would not come back."""
    refused(single(tmp_path, "us_tida.toml", "a" + ".a" * 30_000 + " = 1\n" + TIDA), shipped, "facts_malformed")


def test_doubles_encryption_and_odd_compression_are_refused(tmp_path: Path, shipped: Facts) -> None:
    path = tmp_path / "facts.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("laws/us_tida.toml", TIDA)
        with pytest.warns(UserWarning, match="Duplicate"):
            z.writestr("laws/us_tida.toml", TIDA)
    refused(path, shipped, "facts_malformed")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as z:
        z.writestr("laws/us_tida.toml", TIDA)
    refused(path, shipped, "facts_malformed")
    whole = bytearray(zipped(tmp_path, {"laws/us_tida.toml": TIDA}).read_bytes())
    whole[whole.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(whole)
    refused(path, shipped, "facts_malformed")
    path.write_bytes(b"PK\x05\x06" + b"\0" * 18)
    refused(path, shipped, "facts_malformed")


def test_a_damaged_archive_never_gets_through_unnoticed(tmp_path: Path, shipped: Facts) -> None:
    """Each of these either is refused with a sentence or holds exactly what was put in."""
    changed = TIDA.replace("US law of 2025", "A law of 2025")
    whole = zipped(tmp_path, {"laws/us_tida.toml": changed}).read_bytes()
    expected = check_import(tmp_path / "facts.zip", shipped, TODAY)
    chance = random.Random(7)
    refusals = 0
    for _ in range(300):
        spoilt = bytearray(whole)
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        (tmp_path / "facts.zip").write_bytes(spoilt)
        try:
            assert check_import(tmp_path / "facts.zip", shipped, TODAY) == expected
        except FactsError:
            refusals += 1
    assert refusals > 200


def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path, shipped: Facts) -> None:
    refused(tmp_path, shipped, "facts_unreadable")
    refused(tmp_path / "absent.toml", shipped, "facts_unreadable")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.toml")
        refused(tmp_path / "pipe.toml", shipped, "facts_unreadable")


def test_a_folder_that_cannot_be_written_leaves_all_as_it_was(tmp_path: Path, shipped: Facts) -> None:
    changed = TIDA.replace("US law of 2025", "A law of 2025")
    proposal = check_import(single(tmp_path, "us_tida.toml", changed), shipped, TODAY)
    (tmp_path / "added").write_bytes(b"")
    with pytest.raises(FactsError) as e:
        apply_import(proposal, tmp_path / "added", TODAY)
    assert e.value.code == "facts_not_written"
    assert isinstance(proposal, Proposal)


def test_an_archive_is_read_from_memory_alone(tmp_path: Path, shipped: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped(tmp_path, {"laws/us_tida.toml": TIDA.replace("US law of 2025", "A law of 2025")})
    for name in ("extract", "extractall"):
        monkeypatch.setattr(zipfile.ZipFile, name, lambda *_: pytest.fail("an archive was unpacked to disk"))
    opened: list[object] = []
    real = zipfile.ZipFile.__init__

    def init(self: zipfile.ZipFile, file: object, *args: object, **kwargs: object) -> None:
        opened.append(file)
        real(self, file, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(zipfile.ZipFile, "__init__", init)
    assert check_import(archive, shipped, TODAY)
    assert [type(f) for f in opened] == [io.BytesIO]
