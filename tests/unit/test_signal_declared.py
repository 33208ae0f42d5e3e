"""Labels in metadata: every form of IPTC's source type, known marks, and no false hits on ordinary names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from detectors.finding import Finding, Profile, State
from detectors.signals.declared import MARKS, detector
from tests.unit.signal_pictures import by_hand, from_bytes, jpeg, scene

CV = "cv.iptc.org/newscodes/digitalsourcetype/"
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
EXT = 'xmlns:{p}="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'


def packet(attributes: str = "", inside: str = "") -> str:
    return (
        f'<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}>'
        f'<rdf:Description rdf:about="" {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    )


def find(**fields: object) -> Finding:
    return detector.find(by_hand(**fields), Profile.FAST)  # type: ignore[arg-type]


FORMS = [
    packet(EXT.format(p="Iptc4xmpExt") + f' Iptc4xmpExt:DigitalSourceType="http://{CV}trainedAlgorithmicMedia"'),
    packet(EXT.format(p="iptcExt") + f' iptcExt:DigitalSourceType="https://{CV}compositeWithTrainedAlgorithmicMedia"'),
    packet(EXT.format(p="a"), f"<a:DigitalSourceType>http://{CV}compositeSynthetic</a:DigitalSourceType>"),
    packet(EXT.format(p="a"), f'<a:DigitalSourceType rdf:resource="http://{CV}trainedAlgorithmicMedia"/>'),
    packet(EXT.format(p="a"), "<a:digitalsourcetype>trainedAlgorithmicMedia</a:digitalsourcetype>"),
    packet(EXT.format(p="a"), "<a:DigitalSourceType>digsrctype:trainedAlgorithmicMedia</a:DigitalSourceType>"),
]


@pytest.mark.parametrize("xmp", FORMS)
def test_every_form_of_the_source_type_is_read(xmp: str) -> None:
    finding = find(untrusted_xmp=xmp)
    assert (finding.state, finding.score) == (State.OK, 1.0)
    assert "AI" in finding.says


@pytest.mark.parametrize("kind", ["digitalCapture", "algorithmicMedia", "humanEdits", "algorithmicallyEnhanced"])
def test_other_source_types_score_zero_and_are_told(kind: str) -> None:
    finding = find(untrusted_xmp=packet(EXT.format(p="i") + f' i:DigitalSourceType="http://{CV}{kind}"'))
    assert (finding.state, finding.score) == (State.OK, 0.0)
    assert "proves nothing" in finding.says
    assert finding.details["digital_source_types"] == [kind]


CREDIT = 'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:Credit="{}"'
JOB = "a harbour at dawn --ar 3:2 --v 7 Job ID: f78c34d4-5e7a-4b0c-8e35-c6a9bceedb55"
DESCRIBED = packet(
    'xmlns:dc="http://purl.org/dc/elements/1.1/"',
    f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{JOB}</rdf:li></rdf:Alt></dc:description>',
)
HITS = [
    ("Google AI", {"untrusted_iptc": {"credit": "Made with Google AI"}}),
    ("Google AI", {"untrusted_xmp": packet(CREDIT.format("Edited with Google AI"))}),
    ("Midjourney", {"untrusted_text": {"Description": JOB}}),
    ("Midjourney", {"untrusted_xmp": DESCRIBED}),
    ("OpenAI", {"untrusted_exif": {"Software": "DALL-E 3"}}),
    ("Adobe Firefly", {"untrusted_exif": {"Software": "Adobe Firefly"}}),
    ("Ideogram", {"untrusted_text": {"Software": "ideogram.ai"}}),
    ("Stability AI", {"untrusted_exif": {"Software": "Stability AI"}}),
    ("Microsoft", {"untrusted_exif": {"Software": "Microsoft Designer"}}),
    ("Meta AI", {"untrusted_iptc": {"credit": "Imagined with AI"}}),
    ("Grok (xAI)", {"untrusted_exif": {"Software": "Grok"}}),
    (
        "Grok (xAI)",
        {
            "untrusted_exif": {
                "Artist": "f78c34d4-5e7a-4b0c-8e35-c6a9bceedb55",
                "ImageDescription": "Signature: " + "Ab+/" * 20,
            }
        },
    ),
    ("Leonardo.Ai", {"untrusted_exif": {"Software": "Leonardo.Ai"}}),
    ("Apple Photos Clean Up", {"untrusted_xmp": packet(CREDIT.format("Apple Photos Clean Up"))}),
    ("FLUX", {"untrusted_exif": {"Software": "AI generated;txt2img;flux", "Make": "Black Forest Labs"}}),
    ("Samsung Galaxy AI", {"kind": "JPEG", "data": b"\xff\xd9" + b'PhotoEditor_Re_Edit_Data{"genAIType":4}'}),
]


@pytest.mark.parametrize(("tool", "fields"), HITS)
def test_known_marks_are_found_and_quoted(tool: str, fields: dict[str, object]) -> None:
    finding = find(**fields)
    assert (finding.state, finding.score) == (State.OK, 1.0)
    assert tool in [m["tool"] for m in finding.details["marks"]]
    assert tool in finding.says


def test_an_edit_is_called_an_edit() -> None:
    assert "edited with" in find(untrusted_iptc={"credit": "Edited with Google AI"}).says
    assert "made with" in find(untrusted_iptc={"credit": "Made with Google AI"}).says


ORDINARY = [
    {"Software": "Adobe Photoshop 26.1 (Windows)"},
    {"Software": "GIMP 2.10.36"},
    {"Software": "Adobe Photoshop Lightroom Classic 13.4"},
    {"Software": "Google"},
    {"Software": "Picasa"},
    {"Software": "HDR+ 1.0.540104767zd"},
    {"Software": "17.5.1"},
    {"Software": "Microsoft Windows Photo Viewer 10.0"},
    {"Software": "Meta Photo Editor"},
    {"Software": "Fluxbox screenshot"},
    {"Software": "f.lux 2"},
    {"Software": "Export plug-in, not Midjourney"},
    {"Make": "Not Black Forest Labs"},
    {"Make": "Apple", "Model": "iPhone 15", "Artist": "Leonardo Grok"},
    {"Artist": "Firefly Midjourney", "Copyright": "Ideogram Studio, Stability Ltd"},
    {"ImageDescription": "The Job ID: 4711 sheet on the wall"},
    {"ImageDescription": "A talk: made with Google AI, or by hand?"},
    {"ImageDescription": "Signature: of the minister", "Artist": "A. Photographer"},
]


@pytest.mark.parametrize("exif", ORDINARY)
def test_ordinary_names_do_not_match(exif: dict[str, str]) -> None:
    as_xmp = packet(CREDIT.format("Photo: Imagine Leonardo / AI Agency"))
    finding = find(
        untrusted_exif=exif,
        untrusted_iptc={"credit": "Not made with Google AI", "byline": "Grok"},
        untrusted_xmp=as_xmp,
    )
    assert (finding.state, finding.score) == (State.OK, 0.0), finding.says


@pytest.mark.parametrize("value", [b'"genAIType":0', b"genAIType", b'"genAIType": null'])
def test_a_samsung_record_without_an_ai_tool_is_nothing(value: bytes) -> None:
    assert find(kind="JPEG", data=b"\xff\xd9" + value).score == 0.0


def aigc(label: object) -> str:
    return json.dumps({"Label": label, "ContentProducer": "x", "ProduceID": "1"}).replace('"', "&quot;")


@pytest.mark.parametrize(
    ("label", "state", "score"),
    [("1", State.OK, 1.0), (2, State.INCONCLUSIVE, None), ("3", State.INCONCLUSIVE, None), ("9", State.OK, 0.0)],
)
def test_chinas_label(label: object, state: State, score: float | None) -> None:
    xmp = packet(f'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" TC260:AIGC="{aigc(label)}"')
    finding = find(untrusted_xmp=xmp)
    assert (finding.state, finding.score) == (state, score)
    in_exif = find(untrusted_exif={"UserComment": json.dumps({"AIGC": {"Label": label}})})
    assert in_exif.score == score


BROKEN = [
    "<x:xmpmeta",
    packet()[:-20].replace("</x:xmpmeta>", ""),
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    "x" * 2_000_001,
]


@pytest.mark.parametrize("xmp", BROKEN)
def test_xmp_that_cannot_be_read_is_said_and_never_absent(xmp: str) -> None:
    finding = find(untrusted_xmp=xmp)
    assert (finding.state, finding.score) == (State.INCONCLUSIVE, None)
    assert "could not be read" in finding.says


def test_deep_xmp_does_no_harm() -> None:
    deep = "<a>" * 280_000 + "</a>" * 280_000
    assert find(untrusted_xmp=deep).state in (State.OK, State.INCONCLUSIVE)


def test_quoted_values_are_made_harmless() -> None:
    says = find(untrusted_exif={"Software": "Midjourney\n\u202eevil\x00"}).says
    assert "\n" not in says
    assert "\u202e" not in says
    assert "\x00" not in says


def test_every_mark_names_its_source_and_is_used_here() -> None:
    assert all(m.source for m in MARKS)
    tested = {tool for tool, _ in HITS}
    assert {m.tool for m in MARKS} - tested == {"Apple Image Playground"}


def test_through_a_real_file() -> None:
    xmp = FORMS[0].encode()
    assert detector.find(from_bytes(jpeg(scene(), xmp=xmp)), Profile.FAST).score == 1.0
    assert detector.find(from_bytes(jpeg(scene())), Profile.FAST).score == 0.0


def test_published_files(shared: Path) -> None:
    folder = shared / "data" / "originals"
    rows = list(csv.DictReader((folder / "labels.csv").read_text("utf-8").splitlines()))
    said = [r["file"] for r in rows if "iptc-ai" in r["evidence"] and r["evidence"] != "c2pa+iptc-ai"]
    plain = [r["file"] for r in rows if r["expect"] == "camera_exif"]
    assert len(said) >= 4
    assert len(plain) >= 20
    for name in said:
        assert detector.find(from_bytes((folder / name).read_bytes()), Profile.FAST).score == 1.0, name
    for name in plain:
        assert detector.find(from_bytes((folder / name).read_bytes()), Profile.FAST).score == 0.0, name
