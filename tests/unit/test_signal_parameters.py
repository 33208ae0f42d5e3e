"""Generation settings: known formats give model and prompt; ordinary texts do not fire; hostile ones do no harm."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from detectors.finding import Finding, Profile, State
from detectors.signals.parameters import detector
from resources.make_demo import A1111, comfyui
from tests.unit.signal_pictures import by_hand, from_bytes, jpeg, scene


def find(text: dict[str, str] | None = None, exif: dict[str, str] | None = None, xmp: str | None = None) -> Finding:
    picture = by_hand(untrusted_text=text or {}, untrusted_exif=exif or {}, untrusted_xmp=xmp)
    return detector.find(picture, Profile.FAST)


FOOOCUS = {"prompt": "a red fox", "base_model": "juggernautXL", "version": "Fooocus v2.5.5", "steps": 30}
SWARM = {"sui_image_params": {"prompt": "a red fox", "model": "OfficialStableDiffusion/sd_xl_base", "seed": 1}}
DRAW_THINGS = {"c": "a red fox", "uc": "", "model": "flux_1.ckpt", "sampler": "Euler", "steps": 4, "seed": 1, "v2": {}}
INVOKE_OLD = {
    "model": "stable diffusion",
    "model_weights": "stable-diffusion-1.5",
    "image": {"prompt": [{"prompt": "a red fox", "weight": 1}]},
}
INVOKE_NEW = {"app_version": "5.0", "positive_prompt": "a red fox", "model": {"name": "dreamshaper", "base": "sdxl"}}
EASY = {"prompt": "a red fox", "use_stable_diffusion_model": "sd-v1-5", "seed": 1, "num_inference_steps": 25}
SIX = (
    "a red fox\nNegative prompt: blur\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: 6ce0161689, Model: v1-5"
)
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/"><exif:UserComment>'
    '<rdf:Alt><rdf:li xml:lang="x-default">'
    + json.dumps(DRAW_THINGS)
    + "</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
)
KNOWN = [
    ("Stable Diffusion web UI", "v1-5", {"text": {"parameters": SIX}}),
    ("Stable Diffusion web UI", "v1-5", {"exif": {"UserComment": SIX}}),
    ("Stable Diffusion web UI", "v1-5", {"exif": {"UserComment": "UNICODE\x00" + SIX}}),
    ("Stable Diffusion web UI", "v1-5", {"text": {"comment": SIX}}),
    (
        "stable-diffusion.cpp",
        "",
        {
            "text": {
                "parameters": "a red fox\nSteps: 4, CFG scale: 1.0, Seed: 42, Size: 512x512, Model: , RNG: cuda, "
                "Sampler: euler, Version: stable-diffusion.cpp"
            }
        },
    ),
    ("InvokeAI", "dreamshaper", {"text": {"invokeai_metadata": json.dumps(INVOKE_NEW)}}),
    ("InvokeAI", "stable-diffusion-1.5", {"text": {"sd-metadata": json.dumps(INVOKE_OLD)}}),
    ("InvokeAI", "", {"text": {"Dream": '"a red fox" -s50 -S1234 -W512 -H512 -C7.5 -Ak_lms'}}),
    (
        "NovelAI",
        "NovelAI Diffusion V4 37442FCA",
        {
            "text": {
                "Software": "NovelAI",
                "Source": "NovelAI Diffusion V4 37442FCA",
                "Description": "a red fox",
                "Comment": json.dumps({"prompt": "a red fox", "steps": 28, "uc": "blur"}),
            }
        },
    ),
    ("Draw Things", "flux_1.ckpt", {"xmp": XMP}),
    ("Draw Things", "flux_1.ckpt", {"exif": {"UserComment": json.dumps(DRAW_THINGS)}}),
    ("Fooocus", "juggernautXL", {"text": {"fooocus_scheme": "fooocus", "parameters": json.dumps(FOOOCUS)}}),
    ("Fooocus", "juggernautXL", {"exif": {"UserComment": json.dumps(FOOOCUS), "MakerNote": "fooocus"}}),
    ("SwarmUI", "OfficialStableDiffusion/sd_xl_base", {"text": {"parameters": json.dumps(SWARM)}}),
    ("SwarmUI", "OfficialStableDiffusion/sd_xl_base", {"exif": {"UserComment": json.dumps(SWARM)}}),
    ("Easy Diffusion", "sd-v1-5", {"exif": {"UserComment": json.dumps(EASY)}}),
    ("Easy Diffusion", "sd-v1-5", {"text": {k: str(v) for k, v in EASY.items()}}),
]


@pytest.mark.parametrize(("program", "model", "fields"), KNOWN)
def test_known_formats_give_model_and_prompt(program: str, model: str, fields: dict[str, object]) -> None:
    finding = find(**fields)  # type: ignore[arg-type]
    assert (finding.state, finding.score) == (State.OK, 1.0)
    assert finding.details | {"in_short": ""} == {
        "program": program,
        "model": model,
        "prompt": "a red fox",
        "in_short": "",
    }
    assert "a red fox" in finding.says
    assert "a red fox" not in finding.in_short
    assert 'prompt "a red fox"' in finding.says
    assert program in finding.says
    assert model in finding.says


def test_comfyui_prompt_is_found_through_the_sampler_and_not_the_negative() -> None:
    finding = find(comfyui())
    assert finding.details["program"] == "ComfyUI"
    assert finding.details["model"] == "demo-model-v1.safetensors"
    assert finding.details["prompt"] == "ripples on a lake, bright"


def test_comfyui_in_exif_and_through_other_nodes() -> None:
    graph = json.loads(comfyui()["prompt"])
    graph["20"] = {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["6", 0]}}
    graph["3"]["inputs"]["positive"] = ["20", 0]
    graph["6"]["inputs"]["text"] = ["21", 0]
    graph["21"] = {"class_type": "StringConstant", "inputs": {"string": "a red fox"}}
    finding = find(exif={"Make": "workflow:{}", "Model": "prompt:" + json.dumps(graph)})
    assert (finding.score, finding.details["prompt"]) == (1.0, "a red fox")


def test_comfyui_workflow_alone() -> None:
    workflow = {
        "links": [],
        "nodes": [
            {"type": "KSampler", "widgets_values": [1, "fixed"]},
            {"type": "CheckpointLoaderSimple", "widgets_values": ["m.safetensors"]},
            {"type": "CLIPTextEncode", "widgets_values": ["a red fox"]},
        ],
    }
    finding = find({"workflow": json.dumps(workflow)})
    assert (finding.details["model"], finding.details["prompt"]) == ("m.safetensors", "a red fox")


def test_a_comfyui_workflow_that_makes_no_picture_is_inconclusive() -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
        "2": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": 10}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
    }
    finding = find({"prompt": json.dumps(graph)})
    assert (finding.state, finding.score) == (State.INCONCLUSIVE, None)


def test_loops_in_a_graph_end() -> None:
    graph = {
        str(i): {"class_type": "KSampler", "inputs": {"positive": [str(i ^ 1), 0], "x": [str(i), 0]}}
        for i in range(2000)
    }
    start = time.perf_counter()
    assert find({"prompt": json.dumps(graph)}).score == 1.0
    assert time.perf_counter() - start < 2


ORDINARY = [
    {"parameters": "exposure=1.2; contrast=0.8"},
    {"parameters": "Steps: 20"},
    {"parameters": "Steps: 3, wash, rinse, dry"},
    {"Comment": "Created with GIMP"},
    {"Comment": '{"title": "Holiday", "prompt": "none"}'},
    {"prompt": "What is shown in this picture?"},
    {"prompt": '{"question": {"text": "Who?"}}'},
    {"workflow": "scan, crop, save"},
    {"workflow": '{"nodes": [1, 2], "edges": []}'},
    {"Description": "Recipe. Steps: 12, Size: 3x4, Seed: apple"},
    {"Description": "Recipe\nSteps: 12, Size: 3x4, Seed: apple"},
    {"Dream": "I had a dream"},
    {"sd-metadata": "{}"},
    {"Software": "gnome-screenshot", "Source": "camera"},
    {"Model": "Canon EOS", "Seed": "pumpkin"},
    {"generation_data": "{}"},
    {"invokeai_metadata": "{}"},
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_do_not_fire(text: dict[str, str]) -> None:
    finding = find(text)
    assert (finding.state, finding.score) == (State.OK, 0.0), finding.says
    assert find(exif={k if k != "Comment" else "UserComment": v for k, v in text.items()}).score == 0.0


HOSTILE = [
    {"prompt": "{" + '"a":{' * 20_000},
    {"prompt": '{"a":' + "[" * 100_000},
    {"parameters": "Steps: 1, " + 'A: "' * 20_000},
    {"parameters": "\nSteps: 1, " * 50_000},
    {"Dream": '"' + " -a" * 100_000},
    {"Comment": "{" * 1_000_000},
    {"sd-metadata": json.dumps({"image": {"prompt": [1, None, {"prompt": {"deep": []}}]}, "model": [1]})},
    {"invokeai_metadata": json.dumps({"positive_prompt": ["x"], "model": [1]})},
    {"prompt": json.dumps({"1": {"class_type": ["KSampler"], "inputs": {"positive": [[], 0], "ckpt_name": {}}}})},
    {"workflow": json.dumps({"links": 1, "nodes": [{"type": 5, "widgets_values": {"a": 1}}, 7]})},
    {"parameters": json.dumps({"sui_image_params": {"model": [1], "prompt": {"a": 1}}})},
    {"prompt": '{"a": ' + "9" * 10_000 + "}"},
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_do_no_harm(text: dict[str, str]) -> None:
    start = time.perf_counter()
    finding = find(text)
    assert time.perf_counter() - start < 2
    assert len(finding.says) < 500
    assert len(json.dumps(dict(finding.details))) < 30_000


def test_prompts_are_cut_and_made_harmless() -> None:
    finding = find({"parameters": "a\nred \u202e\x1b[31mfox" + "y" * 9000 + SIX[9:]})
    assert len(finding.says) < 400
    assert len(finding.details["prompt"]) <= 4096
    assert not set("\n\u202e\x1b") & set(finding.says + finding.details["prompt"])


@given(
    st.dictionaries(st.sampled_from(["parameters", "prompt", "workflow", "Comment", "Dream", "sd-metadata"]), st.text())
)
def test_any_text_gives_a_finding(text: dict[str, str]) -> None:
    assert find(text).state in (State.OK, State.INCONCLUSIVE)


def test_through_real_files() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\x00" + A1111.encode("utf-16-be")
    finding = detector.find(from_bytes(jpeg(scene(), exif=exif)), Profile.FAST)
    assert finding.details["model"] == "demo-model-v1"
    assert finding.details["prompt"].startswith("rolling hills")


def test_published_files(shared: Path) -> None:
    folder = shared / "data" / "originals"
    expected = {"024e92d54ce276.png": "lovely cat", "3fb5e9944343cb.png": "lovely cat", "c672f744633b43.png": "a shark"}
    for name, words in expected.items():
        finding = detector.find(from_bytes((folder / name).read_bytes()), Profile.FAST)
        assert finding.score == 1.0, name
        assert words in finding.details["prompt"], name
