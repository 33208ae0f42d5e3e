"""The writers: stable columns, spreadsheet formulas disarmed, a page that runs nothing from a file, a calm table."""

from __future__ import annotations

import base64
import csv
import html.parser
import io
import json
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from desktop.output import csv as csv_output
from desktop.output import html as html_output
from desktop.output import jsonl, page
from desktop.output.csv import BOM, COLUMNS, CsvWriter
from desktop.output.html import HtmlWriter
from desktop.output.jsonl import JsonlWriter
from desktop.output.table import TableWriter
from desktop.output.writer import OutputError, Tally, Writer
from desktop.words import MAP_COLOUR, MAP_OPACITY
from detectors.finding import CHECKS, Finding, Profile, Region, Role, State
from detectors.inference import manifest
from detectors.report import Report
from detectors.verdict import Band
from tests.unit.sample_reports import BANDS, HOSTILE, one_of_each, report, unreadable

POINTS = {Profile.FAST: {"generated": BANDS}}


def write_all(writer: Writer, reports: Iterable[Report]) -> Tally:
    tally = Tally()
    for r in reports:
        record = r.to_json()
        writer.write(record, r)
        tally.add(record)
    writer.finish(tally)
    return tally


def hostile() -> list[Report]:
    """Hostile text in every place that comes from a file."""
    return [
        report(HOSTILE, says=HOSTILE, details={HOSTILE: HOSTILE, "prompt": HOSTILE}, metadata={HOSTILE: HOSTILE}),
        unreadable(HOSTILE, HOSTILE),
    ]


class TestJsonl:
    def test_lines_are_the_reports(self, tmp_path: Path) -> None:
        path, reports = tmp_path / "out.jsonl", [*one_of_each(), *hostile()]
        write_all(JsonlWriter(str(path)), reports)
        assert path.read_text("ascii").splitlines() == [r.to_line() for r in reports]
        assert [json.loads(line) for line in path.read_bytes().splitlines()] == [r.to_json() for r in reports]

    def test_each_line_is_there_before_the_next(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        writer = JsonlWriter(str(path))
        writer.write(report().to_json(), report())
        assert len(path.read_bytes().splitlines()) == 1
        writer.abandon()

    def test_resume_finds_what_is_whole(self, tmp_path: Path) -> None:
        path, reports = tmp_path / "out.jsonl", one_of_each()
        write_all(JsonlWriter(str(path)), reports)
        whole = path.read_bytes()
        for torn in (b'{"schema":"counterproof.scan/1","path', b"\0\0\0\0", b"", whole.splitlines()[0]):
            path.write_bytes(whole + torn)
            end = jsonl.finished_for(str(path), iter([r.path for r in reports]))
            assert end == len(whole)
            jsonl.drop_torn_tail(str(path), end)
            assert path.read_bytes() == whole

    def test_resume_consumes_exactly_the_finished_paths(self, tmp_path: Path) -> None:
        path, reports = tmp_path / "out.jsonl", one_of_each()
        write_all(JsonlWriter(str(path)), reports[:2])
        paths = iter([r.path for r in reports])
        jsonl.finished_for(str(path), paths)
        assert next(paths) == reports[2].path

    @pytest.mark.parametrize("paths", [["other.jpg"], []])
    def test_resume_refuses_another_order(self, tmp_path: Path, paths: list[str]) -> None:
        path = tmp_path / "out.jsonl"
        write_all(JsonlWriter(str(path)), [report()])
        before = path.read_bytes()
        with pytest.raises(OutputError) as caught:
            jsonl.finished_for(str(path), iter(paths))
        assert caught.value.code == "resume_mismatch"
        assert path.read_bytes() == before

    def test_resume_refuses_damage_in_the_middle(self, tmp_path: Path) -> None:
        path, reports = tmp_path / "out.jsonl", one_of_each()
        write_all(JsonlWriter(str(path)), reports)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(lines[0] + b"{}\n" + lines[2])
        with pytest.raises(OutputError) as caught:
            jsonl.finished_for(str(path), iter([r.path for r in reports]))
        assert caught.value.code == "resume_damaged"

    def test_resume_of_nothing_starts_at_the_beginning(self, tmp_path: Path) -> None:
        assert jsonl.finished_for(str(tmp_path / "none.jsonl"), iter(["a"])) == 0


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().removeprefix(BOM).decode("utf-8"), newline="")))


class TestCsv:
    def test_one_row_a_file_in_stable_columns(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        write_all(CsvWriter(str(path)), one_of_each())
        assert path.read_bytes().startswith(BOM + b"path,status,verdict,p_synthetic,")
        found = rows(path)
        assert [r["verdict"] for r in found] == [*map(str, Band), ""]
        assert set(found[0]) == set(COLUMNS)
        assert found[0]["failed_detectors"] == "watermark"
        assert found[-1]["error_remedy"] == "Ask for the file again."
        assert found[-1]["p_synthetic"] == found[-1]["intimacy"] == ""

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_no_cell_is_a_formula(self, tmp_path: Path, start: str) -> None:
        path = tmp_path / "out.csv"
        evil = start + "HYPERLINK(1)"
        write_all(CsvWriter(str(path)), [report(evil, says=evil), unreadable(evil, evil)])
        cells = [c for r in rows(path) for c in r.values()]
        assert not [c for c in cells if c.startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert sum(c.startswith("'") for c in cells) == 4

    def test_hostile_text_stays_in_its_row(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        write_all(CsvWriter(str(path)), hostile())
        assert len(path.read_bytes().splitlines()) == 3
        assert "\\n" in rows(path)[0]["path"]

    @given(st.text(st.characters(codec=None, exclude_categories=())))
    def test_any_name_makes_one_safe_row(self, name: str) -> None:
        cell = csv_output.row(report(name).to_json())[0]
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert len((cell + ".").splitlines()) == 1
        cell.encode("utf-8")


class Page(html.parser.HTMLParser):
    """Collects what a browser would see: tags with attributes, and the text of rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [a for t, a in self.tags if t == tag]


def mapped() -> Report:
    """A report with an edited area, a map over the left half, and a model that the user added."""
    made = report(thumbnail=b"\xff\xd8jpeg")
    assert made.analysis is not None
    values = base64.b64encode(bytes((0, 50, 100, 150, 200, 255))).decode()
    details = {"map": {"rows": 2, "columns": 3, "values": values, "box": [0, 0, 512, 768]}}
    edited = (Region("edited", (9, 9, 90, 90), 0.9),)
    more = (
        Finding("local_edit", Role.LEARNED, State.OK, 0.95, "It does not fit.", edited, details=details),
        Finding("third_party:nadia", Role.CONTEXT, State.OK, 0.4, "It gives 0.40."),
    )
    return replace(made, analysis=replace(made.analysis, findings=(*made.analysis.findings, *more)))


def page_of(tmp_path: Path, reports: list[Report]) -> tuple[str, Page]:
    path = tmp_path / "report.html"
    write_all(HtmlWriter(str(path), POINTS), reports)
    text = path.read_text("utf-8")
    return text, Page(text)


class TestHtml:
    def test_the_page_has_every_row_count_and_rate(self, tmp_path: Path) -> None:
        _, seen = page_of(tmp_path, one_of_each())
        assert len([a for a in seen.all("tr") if "data-n" in a]) == 6
        assert [a["value"] for a in seen.all("input")[:-1]] == [*map(str, Band), "not_checked"]
        assert seen.words.count(": 1") >= 6
        for said in (
            "Counterproof report",
            "1.0\u00a0%",
            "61.0\u00a0%",
            "generated-test",
            "ab" * 32,
            "The file is cut short.",
        ):
            assert said in seen.words

    def test_a_likelihood_is_shown_only_where_it_helps(self, tmp_path: Path) -> None:
        text, seen = page_of(tmp_path, one_of_each())
        assert text.count('data-label="Likelihood"') == 2
        assert [a["data-v"] for a in seen.all("tr") if a.get("data-p")] == ["likely_synthetic", "inconclusive"]
        assert "98 in 100" not in seen.words

    def test_hostile_text_adds_no_element_and_no_attribute(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        calm = [report("x", says="x", details={"x": "x", "prompt": "x"}, metadata={"x": "x"}), unreadable("x", "x")]
        _, plain = page_of(tmp_path / "a", calm)
        text, seen = page_of(tmp_path, hostile())
        assert [t for t, _ in seen.tags] == [t for t, _ in plain.tags]
        assert [sorted(a) for _, a in seen.tags] == [sorted(a) for _, a in plain.tags]
        assert "\u202e" not in text
        assert "\0" not in text
        assert "alert(1)" in seen.words  # it is shown, as text

    def test_nothing_is_fetched_and_only_our_script_runs(self, tmp_path: Path) -> None:
        text, seen = page_of(tmp_path, [report(thumbnail=b"\xff\xd8jpeg"), *hostile()])
        policy = next(a["content"] for a in seen.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
        assert policy.startswith("default-src 'none'; img-src data:;")
        assert "unsafe" not in policy
        loads = [(t, a) for t, a in seen.tags for k in a if k in {"href", "srcset", "action", "style"} or k[:2] == "on"]
        assert loads
        assert all(t == "image" and a["href"].startswith("data:image/jpeg;base64,") for t, a in loads)
        assert [a["src"][:23] for a in seen.all("img")] == ["data:image/jpeg;base64,"]
        assert seen.all("script") == [{}]
        assert page.script() in text

    def test_marked_areas_and_maps_lie_over_the_veiled_picture(self, tmp_path: Path) -> None:
        text, seen = page_of(tmp_path, [mapped()])
        boxes = [tuple(int(a[k]) for k in ("x", "y", "width", "height")) for a in seen.all("image")]
        assert boxes == [(0, 0, 1024, 768), (0, 0, 512, 768)]
        outlined = [a for a in seen.all("rect") if a.get("class") == "light"]
        assert [(a["x"], a["width"]) for a in outlined] == [("1", "3"), ("9", "90")]
        assert "Edited area. Learned detector: edited areas." in seen.words
        [switch] = [a for a in seen.all("input") if a.get("id", "").startswith("m")]
        assert "checked" in switch
        assert {"for": switch["id"]} in seen.all("label")
        assert ".where input:not(:checked)~svg .layer{display:none}" in page.STYLE
        assert text.index('id="m1"') < text.index("<svg")

    def test_the_map_is_a_png_with_the_values_as_opacity(self, tmp_path: Path) -> None:
        _, seen = page_of(tmp_path, [mapped()])
        layer = next(a for a in seen.all("image") if a["class"] == "layer")
        with Image.open(io.BytesIO(base64.b64decode(layer["href"].partition(",")[2]))) as image:
            pixels = np.asarray(image.convert("RGBA"))
        assert pixels.shape == (2, 3, 4)
        assert {tuple(int(v) for v in p[:3]) for p in pixels.reshape(-1, 4)} == {MAP_COLOUR}
        assert pixels[..., 3].ravel().tolist() == [v * MAP_OPACITY // 255 for v in (0, 50, 100, 150, 200, 255)]

    def test_body_parts_are_not_outlined(self, tmp_path: Path) -> None:
        made = report()
        assert made.analysis is not None
        body = Region("FEMALE_BREAST_COVERED", (7, 7, 7, 7), 0.9)
        findings = [replace(f, regions=(body,) if f.detector == "intimacy" else ()) for f in made.analysis.findings]
        made = replace(made, analysis=replace(made.analysis, findings=tuple(findings)))
        _, seen = page_of(tmp_path, [made])
        assert seen.all("svg") == seen.all("rect") == []

    def test_models_that_the_user_added_stand_apart(self, tmp_path: Path) -> None:
        _, seen = page_of(tmp_path, [mapped()])
        ours, _, others = seen.words.partition("Other models that you added")
        assert "nadia (added by you)" in others
        assert "nadia" not in ours
        assert "Other models" not in page_of(tmp_path, [report()])[1].words

    @pytest.mark.parametrize(
        ("profile", "said"), [(Profile.FAST, "Quick check."), (Profile.THOROUGH, "Thorough check.")]
    )
    def test_the_check_that_decided_is_named(self, tmp_path: Path, profile: Profile, said: str) -> None:
        made = report()
        assert made.analysis is not None
        _, seen = page_of(tmp_path, [replace(made, analysis=replace(made.analysis, profile=profile))])
        assert said in seen.words.partition("How far to trust this")[0]

    def test_fingerprints_and_inner_text_unfold_on_request_only(self, tmp_path: Path) -> None:
        text, seen = page_of(tmp_path, [report(metadata={"text.parameters": "PROMPT"})])
        assert all("open" not in a for a in seen.all("details"))
        for secret in ("01" * 32, "PROMPT"):
            before = text[: text.index(secret)]
            assert before.count("<details") - before.count("</details>") == 2

    def test_hostile_text_cannot_leave_the_comment_that_a_late_row_keeps(self) -> None:
        evil = report(says="--><script>alert(1)</script>--!>", metadata={"-->": "<!-- --> --"})
        early = Page(html_output.row(evil.to_json(), evil, page.DRAWN))
        late = Page(html_output.row(evil.to_json(), evil, page.DRAWN + 1))
        assert (len(early.all("tr")), early.comments) == (1, [])
        assert late.tags == []
        [kept] = late.comments
        assert [t for t, _ in Page(kept).tags] == [t for t, _ in early.tags]

    def test_long_text_is_cut(self, tmp_path: Path) -> None:
        text, _ = page_of(tmp_path, [report(metadata={"text.parameters": "x" * 100_000})])
        assert "x" * 1501 not in text
        assert "… (cut)" in text

    def test_the_page_appears_whole_or_not_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / "report.html"
        write_all(HtmlWriter(str(path), POINTS), [report()])
        before = path.read_bytes()
        writer = HtmlWriter(str(path), POINTS)
        writer.write(report("other").to_json(), report("other"))
        assert path.read_bytes() == before
        writer.abandon()
        assert os.listdir(tmp_path) == ["report.html"]

    @pytest.mark.skipif(os.name == "nt", reason="Windows deletes such a file only when the process ends")
    def test_rows_are_in_no_file_that_a_kill_could_leave_behind(self, tmp_path: Path) -> None:
        writer = HtmlWriter(str(tmp_path / "report.html"), POINTS)
        writer.write(report().to_json(), report())
        assert os.listdir(tmp_path) == []
        assert writer.temporary is None
        writer.finish(Tally())
        assert os.listdir(tmp_path) == ["report.html"]

    def test_a_page_that_cannot_be_put_in_place_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        writer = HtmlWriter(str(tmp_path / "report.html"), POINTS)
        writer.write(report().to_json(), report())
        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OutputError):
            writer.finish(Tally())
        assert os.listdir(tmp_path) == []

    def test_each_check_and_each_detector_has_its_rates(self, tmp_path: Path) -> None:
        path, faces = tmp_path / "report.html", replace(BANDS, n_real=4321)
        points = {Profile.FAST: {"generated": BANDS}, Profile.THOROUGH: {"generated": BANDS, "face_swap": faces}}
        write_all(HtmlWriter(str(path), points), [report()])
        quick, thorough = path.read_text("utf-8").partition("How far to trust this")[2].split("Thorough check")
        assert "Quick check" in quick
        assert "of 1,000 real" in quick
        assert "4,321" not in quick
        assert "Learned detector: faces" in thorough
        assert "of 4,321 real" in thorough

    def test_the_rates_are_those_of_the_profile(self) -> None:
        for check in CHECKS:
            assert html_output.shipped_points(check) == {check: manifest.operating_points(check)}
        assert list(html_output.shipped_points(Profile.CASCADE)) == list(CHECKS)

    def test_a_prompt_unfolds_only_on_request(self, tmp_path: Path) -> None:
        """A finding is told in short; the prompt is behind the second fold, with the other text from the file."""
        path = tmp_path / "o.html"
        details = {"in_short": "Made by X.", "prompt": "cruel words"}
        write_all(HtmlWriter(str(path), POINTS), [report(says="Made by X; prompt “cruel words”.", details=details)])
        before, fold, after = path.read_text("utf-8").partition("Show the text inside the file")
        shown = before.partition("What was looked at")[2]
        assert fold
        assert "Made by X." in shown
        assert "cruel words" in after


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestTable:
    def printed(self, reports: list[Report], out: io.StringIO | None = None) -> str:
        out = out or io.StringIO()
        write_all(TableWriter(out), reports)
        return out.getvalue()

    def test_a_line_a_file_and_a_summary(self) -> None:
        text = self.printed(one_of_each())
        assert "\x1b" not in text
        for said in ("Says it is synthetic", "Likely synthetic", "Can't tell", "No signs found", "Not checked"):
            assert said in text
        assert re.findall(r"(?:about|over|under) \d+ in \d+", text) == ["about 19 in 20", "about 5 in 10"]
        assert "The file is cut short. Ask for the file again." in text
        assert text.splitlines()[-1].startswith("On 5 files: The watermark check")
        assert "6 files: 1 says it is synthetic, 1 with its source photo found, 1 likely synthetic" in text
        assert not re.search(r"\d %", text)

    def test_columns_are_aligned(self) -> None:
        lines = [line for line in self.printed(one_of_each()).splitlines() if "in/" in line or "File" in line]
        assert len({line.index("in/") if "in/" in line else line.index("File") for line in lines}) == 1
        assert len(lines) == 7

    def test_a_single_file_gets_its_reasons(self) -> None:
        text = self.printed([report()])
        assert "Why" in text
        assert "One more reason." in text
        assert "Learned detector: whole picture. Checked. Looks generated." in text
        assert "What was looked at (quick check)\n" in text
        assert "Why" not in self.printed([report(), report()])

    def test_hostile_names_are_shown_on_one_line(self) -> None:
        text = self.printed(hostile())
        assert not set(text) & set("\x1b\0\u202e\r")
        assert "\\u202egpj.exe\\n=cmd" in text
        text.encode("utf-8")

    def test_on_a_terminal_lines_fit_and_no_color_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "90")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        reports = [report("in/" + "long" * 40 + "/IMG_0042.jpg"), unreadable("字" * 60)]
        text = self.printed(reports, Terminal())
        assert "\x1b[1m" in text
        bare = re.sub(r"\x1b\[\d*m", "", text)
        assert max(map(len, bare.splitlines())) <= 90
        assert "IMG_0042.jpg" in bare
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b" not in self.printed(reports, Terminal())


class TestTargets:
    @pytest.mark.parametrize("kind", [JsonlWriter, CsvWriter, lambda p: HtmlWriter(p, POINTS)])
    def test_a_photo_is_never_written_over(self, tmp_path: Path, kind: Any) -> None:
        photo = tmp_path / "photo.jpg"
        photo.write_bytes(b"\xff\xd8\xff\xe0 precious")
        with pytest.raises(OutputError) as caught:
            kind(str(photo))
        assert caught.value.code == "output_exists"
        assert photo.read_bytes() == b"\xff\xd8\xff\xe0 precious"
        assert caught.value.remedy

    @pytest.mark.parametrize("kind", [JsonlWriter, CsvWriter, lambda p: HtmlWriter(p, POINTS)])
    def test_an_earlier_result_may_be_replaced(self, tmp_path: Path, kind: Any) -> None:
        path = str(tmp_path / "out")
        write_all(kind(path), [report("in/one.jpg")])
        write_all(kind(path), [report("in/two.jpg")])
        text = Path(path).read_text("utf-8")
        assert "in/two.jpg" in text
        assert "in/one.jpg" not in text

    @pytest.mark.parametrize("kind", [JsonlWriter, CsvWriter, lambda p: HtmlWriter(p, POINTS)])
    def test_places_that_cannot_be_written(self, tmp_path: Path, kind: Any) -> None:
        with pytest.raises(OutputError) as caught:
            kind(str(tmp_path / "no" / "out"))
        assert caught.value.code == "output_folder_missing"
        with pytest.raises(OutputError) as caught:
            kind(str(tmp_path))
        assert caught.value.code == "output_is_folder"

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
    @pytest.mark.parametrize("kind", [JsonlWriter, CsvWriter, lambda p: HtmlWriter(p, POINTS)])
    def test_new_results_are_for_their_owner_alone(self, tmp_path: Path, kind: Any) -> None:
        path = tmp_path / "out"
        before = os.umask(0)
        try:
            write_all(kind(str(path)), [report()])
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_full_disk_is_named(self) -> None:
        writer = JsonlWriter("/dev/full")
        with pytest.raises(OutputError) as caught:
            writer.write(report().to_json(), report())
        assert caught.value.code == "output_not_writable"
        with pytest.raises(OutputError):
            writer.abandon()
