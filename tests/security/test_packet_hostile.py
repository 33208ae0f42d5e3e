"""A hostile request makes a packet in which it stands as text, or a sentence; nothing runs, and nothing is written
elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from desktop.packets import bag, complete, facts, letters, verify
from desktop.packets.request import Request, RequestError, from_json, from_toml, to_json
from tests.conftest import ROOT
from tests.packet_texts import files_of, text_of
from tests.unit.packet_bags import KEY
from tests.unit.packet_requests import full_request

# What might run, or be taken for something else, if it were read as anything but text.
TEXTS = {
    "typst reads a file": '#read("/etc/passwd")',
    "typst stops": '#panic("no") #{ while true {} }',
    "typst imports": '#import "@preview/x:1.0.0": *',
    "typst ends a string": '"] #eval("1") [" \\\\u{41} \\\\',
    "mathematics": "$ x^2 $ $sum_(k=1)^n$ $",
    "markup": "*bold* _not_ = Heading @ref <label> // comment /* and */ ~ -- --- ...",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)> &amp; &#x41;",
    "pdf": "(string) Tj ET endstream endobj << /JS (app.alert(1)) >>",
    "turned round": "safe\u202egnp.exe\u202c and \u2067\u2068 isolated",
    "invisible": "a\u200bb\u2060c\ufeffd\u00ade",
    "formula": "=cmd|' /C calc'!A1",
    "another formula": "@SUM(1+1)*cmd",
    "a path": "../../../../etc/cron.d/x",
    "a url": "file:///etc/passwd",
    "placeholders": "{law} {depicted} %s {0} {{}} ${HOME} `id` $(id)",
    "right to left": "عضوة المجلس \u200f اسم",
    "emoji and others": "👩🏽‍⚖️ \U0001f9d1\u200d\U0001f680 \ue000 \U000e0041 \uffff",
    "combining": "a" + "\u0301" * 60 + " z\u0335a\u0335l\u0335g\u0335o",
    "json": '"},"law":{"id":"x"},"a":{"',
    "csv": 'a","b\'',
}


def everywhere(text: str) -> Request:
    """A complete request with the text wherever a person may write."""
    request = full_request(facts.load(), "us_tida", "x", "agent")
    one = request.sightings[0]
    texts = dict.fromkeys(request.texts.__dataclass_fields__, text)
    return replace(
        request,
        depicted=replace(request.depicted, name=text, known_as=text, legal_name=text, office=text),
        sender=replace(request.sender, name=text, organisation=text, phone=text, address=text, authority_note=text),
        signature=replace(request.signature, text=text),
        texts=replace(request.texts, **texts),
        recipient=replace(request.recipient, name=text, address=text),
        items=(replace(request.items[0], identification=text, label=text, media_type=text, file=text),),
        sightings=(replace(one, handle=text, platform=text, note=text, url=f"{one.url}?{text}"), one),
        earlier=replace(request.earlier, reference=text, answer=text),
    )


@pytest.mark.parametrize("name", TEXTS)
def test_it_stands_in_the_packet_as_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, known = TEXTS[name], facts.load()
    request = from_json(to_json(everywhere(text)))
    assessment = complete.assess(request, known)
    packet = bag.build(assessment, known, key=KEY)
    assert verify.verify(packet.zip).ok
    files = files_of(packet.zip)
    assert files["data/request.json"].decode("utf-8").replace("\n", "").isprintable()
    record = json.loads(files["data/request.json"])
    assert record["depicted"]["name"] == record["sender"]["organisation"] == text
    assert record["law"]["id"] == "us_tida"
    rows = list(csv.reader(io.StringIO(files["data/addresses.csv"].decode("utf-8"))))
    assert [len(row) for row in rows] == [5, 5, 5]
    assert not rows[1][2].startswith(("=", "@", "+", "-"))
    assert rows[1][2].replace("\u200d", "").isprintable()
    letter = text_of(files["data/letters/notice.en.pdf"])
    if text.isascii():
        assert "".join(text.split()) in "".join(letter.split())
    assert "root:x:0" not in letter
    for hidden in ("\u202e", "\u200b", "\u2067", "\ufeff"):
        assert hidden not in letter
    assert "U+202E" in letter or "\u202e" not in text
    assert not list(tmp_path.iterdir())
    sheet, plain = letters.sheet(assessment, known)
    written = bag.save(tmp_path / "out", bag.outputs(packet, sheet.pdf, plain))
    assert {p.parent for p in written} == {tmp_path / "out"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x" * 1_000_000, "characters"),
        ("a\x00b", "control character"),
        ("a\x1b[2Jb", "control character"),
        ("two\nlines", "control character"),
        ("\ud800", "control character"),
    ],
)
def test_what_fits_nowhere_is_refused_with_a_sentence(text: str, says: str) -> None:
    request = full_request(facts.load(), "us_tida", "x")
    values = json.loads(to_json(request))
    values["sighting"][0]["handle"] = text
    with pytest.raises(RequestError) as error:
        from_json(json.dumps(values))
    assert says in error.value.message
    assert error.value.message.isprintable()
    assert len(error.value.message) < 300


def test_a_note_of_1_mb_is_refused_and_never_cut() -> None:
    values = json.loads(to_json(full_request(facts.load(), "us_tida", "x")))
    values["texts"]["reason"] = "lorem ipsum " * 90_000
    with pytest.raises(RequestError, match="characters") as error:
        from_json(json.dumps(values))
    assert error.value.remedy


def test_thousands_of_endless_addresses_do_not_fill_the_memory() -> None:
    """The letter and the sheet print what is no more than a letter can be; the table in the packet has them all."""
    known = facts.load()
    request = full_request(known, "us_tida", "x")
    one = request.sightings[0]
    request = replace(request, sightings=tuple(replace(one, url=f"{one.url}?{n}{'y' * 7_900}") for n in range(300)))
    assessment = complete.assess(request, known)
    files = files_of(bag.build(assessment, known, key=KEY).zip)
    letter = text_of(files["data/letters/notice.en.pdf"])
    assert 300_000 < letter.count("y") < 400_000
    assert "300" in letter
    assert files["data/addresses.csv"].count(b"\r\n") == 301
    sheet, plain = letters.sheet(assessment, known)
    assert 300_000 < text_of(sheet.pdf).count("y") < 400_000
    assert plain.count("y" * 7_900) == 300


HOSTILE_FILES = {
    "not text": b"\xff\xfe\x00\x01" * 100,
    "not TOML": b"schema = ",
    "deep": b"a = " + b"[" * 100_000,
    "another schema": b'schema = "counterproof.request/99"',
    "escapes": b'schema = "counterproof.request/1"\nlaw = "\\u001b[2J"\n',
    "unknown law": b'schema = "counterproof.request/1"\nlaw = "us_tidy"\nplatform = "x"\n[gate]\nage = "adults"\n',
    "a path as platform": b'schema = "counterproof.request/1"\nplatform = "../../x"\n',
    "empty": b"",
    "a huge number": b'schema = "counterproof.request/1"\n[[item]]\nid = ' + b"9" * 5000,
}


@pytest.mark.parametrize("name", HOSTILE_FILES)
def test_the_command_says_why_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (work / "request.toml").write_bytes(HOSTILE_FILES[name])
    command = [sys.executable, "-m", "desktop", "packet", "build", "request.toml", "-o", "out", "--unsigned", "--draft"]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2)
    said = done.stdout + done.stderr
    assert said
    assert "Traceback" not in said
    assert "\x1b" not in said
    assert [p.name for p in work.iterdir()] == ["request.toml"]
    assert not [p for p in home.rglob("*") if p.is_file()]


def test_a_request_that_names_a_file_elsewhere_reads_it_only_for_an_image_that_was_asked_for(tmp_path: Path) -> None:
    text = (ROOT / "resources" / "demo" / "request.toml").read_text("utf-8")
    request = text.replace("[[item]]", '[[item]]\nfile = "/etc/passwd"')
    assert from_toml(request).items[0].file == "/etc/passwd"
    (tmp_path / "request.toml").write_text(request)
    build = [sys.executable, "-m", "desktop", "packet", "build", str(tmp_path / "request.toml"), "--unsigned", "-o"]
    plain = subprocess.run([*build, str(tmp_path / "one")], capture_output=True, cwd=ROOT, timeout=60)
    assert plain.returncode == 0
    (zip_file,) = (tmp_path / "one").glob("*.zip")
    assert b"passwd" not in zip_file.read_bytes()
    image = [*build, str(tmp_path / "two"), "--image", "full", "--yes"]
    asked = subprocess.run(image, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert asked.returncode == 1
    assert "item 1: /etc/passwd" in asked.stderr
    assert "is not a picture" in asked.stderr
    assert not (tmp_path / "two").exists()
    other = ROOT / "resources" / "demo" / "01-plain-photo-cat.jpg"
    (tmp_path / "request.toml").write_text(request.replace("/etc/passwd", str(other)))
    asked = subprocess.run(image, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert asked.returncode == 1
    assert "not the one that the request names" in asked.stderr
    assert not (tmp_path / "two").exists()
