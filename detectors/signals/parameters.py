"""Generation settings that image generators write into their files: the prompt, the model, the sampler.

Formats are recognised by their structure, not by a word: an ordinary text called "parameters" is not enough.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detectors.finding import Finding, Profile, Role, State
from detectors.text import clean, json_object, quoted
from detectors.xmp import XmpUnreadable, properties

if TYPE_CHECKING:
    from detectors.intake.picture import Picture

# Longest text that is looked at; ComfyUI workflows reach some hundred KB.
LONGEST = 2_000_000
# How far a ComfyUI graph is followed from a sampler to the text that feeds it.
MOST_STEPS = 200
MOST_MAKERS = 20


@dataclass(frozen=True, slots=True)
class Generation:
    """What a file says of its making. `certain` is False where the program also does other work than generating."""

    program: str
    model: str = ""
    prompt: str = ""
    certain: bool = True


class _Parameters:
    """Reads generation settings. Score 1.0: the file carries those of a known generator."""

    name = "generation_parameters"
    role = Role.DECLARED

    def find(self, picture: Picture, profile: Profile) -> Finding:  # noqa: ARG002 - the same in every profile
        """The finding for one picture, with the parsed model name and prompt."""
        texts = _texts(picture)
        generation = next((g for g in (parse(texts) for parse in PARSERS) if g), None) if texts else None
        if generation is None:
            says = "No settings of an image generator in the file. They are easily lost, so this proves nothing."
            return Finding(self.name, self.role, State.OK, 0.0, says)
        details = {
            "program": generation.program,
            "model": clean(generation.model),
            "prompt": clean(generation.prompt),
        }
        if not generation.certain:
            says = f"The file carries a workflow of {generation.program}, but no step in it that makes pictures."
            return Finding(self.name, self.role, State.INCONCLUSIVE, None, says, details=details)
        says = f"The file carries the settings of {generation.program}, an image generator"
        if details["model"]:
            says += f"; model {quoted(generation.model, 80)}"
        details["in_short"] = says + ("; it holds the prompt as well." if details["prompt"] else ".")
        if details["prompt"]:
            says += f"; prompt {quoted(generation.prompt)}"
        return Finding(self.name, self.role, State.OK, 1.0, says + ".", details=details)


def _texts(picture: Picture) -> dict[str, str]:
    """Every text that may hold settings, by keyword; EXIF tags as `exif:Tag`, XMP properties by their name."""
    found = {k: v for k, v in picture.untrusted_text.items() if len(v) <= LONGEST}
    for tag, value in picture.untrusted_exif.items():
        # Exif 2.32, 4.6.5: UserComment starts with eight bytes that name its character code.
        found[f"exif:{tag}"] = re.sub(r"^(?:UNICODE|ASCII|JIS)\x00*", "", value[:LONGEST]).strip("\x00 ")
    if picture.untrusted_xmp and "UserComment" in picture.untrusted_xmp:
        with contextlib.suppress(XmpUnreadable):  # declared_metadata reports it
            found.update((n, v) for n, v in properties(picture.untrusted_xmp) if n == "exif:UserComment")
    return found


_COMMENTS = ("parameters", "exif:UserComment", "comment", "Comment", "exif:ImageDescription", "Description")


def _comments(texts: Mapping[str, str]) -> Iterator[str]:
    yield from (texts[k] for k in _COMMENTS if k in texts)


# A1111's last paragraph: `Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: ..., ...`
# https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/infotext_utils.py
_SETTINGS = re.compile(r"(?:^|\n)[ \t]*Steps: \d{1,5}, ([^\n]{1,8000})")
_SETTING = re.compile(r'([A-Z][\w /-]{1,40}): ("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
_A1111_KEYS = frozenset({"Sampler", "CFG scale", "Seed", "Size", "Model hash", "Model", "Schedule type", "Guidance"})


def _a1111(texts: Mapping[str, str]) -> Generation | None:
    """AUTOMATIC1111's web UI and those that follow its format (Forge, SD.Next, stable-diffusion.cpp, Civitai)."""
    for text in _comments(texts):
        found = _SETTINGS.search(text)
        if not found:
            continue
        settings = {k: v.strip('" ') for k, v in _SETTING.findall(found[1])}
        if len(_A1111_KEYS & settings.keys()) < 3:
            continue
        version = settings.get("Version", "")
        program = version if version.startswith("stable-diffusion.cpp") else "Stable Diffusion web UI"
        prompt = text[: found.start()].split("\nNegative prompt:")[0]
        return Generation(program, settings.get("Model") or settings.get("Model hash", ""), prompt)
    return None


# Node types that make pictures; loaders and savers alone do not.
_COMFY_MAKER = re.compile(r"sampler|diffus|flux|txt2img|img2img|text_?to_?image|imagegen|dall|gptimage", re.IGNORECASE)
_COMFY_MODEL = ("ckpt_name", "unet_name", "model_name", "base_ckpt_name", "checkpoint")
_COMFY_FED = ("positive", "guider", "conditioning", "prompt", "text")
_COMFY_TEXT = ("text", "prompt", "t5xxl", "clip_l", "text_g", "positive", "string", "value", "wildcard_text")


def _comfyui(texts: Mapping[str, str]) -> Generation | None:
    """ComfyUI: `prompt` (node id -> class_type, inputs) and `workflow` (the editor's form of the same graph).

    In WebP and JPEG they follow `prompt:` and `workflow:` in EXIF tags.
    https://github.com/comfyanonymous/ComfyUI/blob/master/nodes.py (SaveImage)
    """
    for kind, read in (("prompt", _comfy_prompt), ("workflow", _comfy_workflow)):
        candidates = [texts[kind]] if kind in texts else []
        exif = (v for k, v in texts.items() if k.startswith("exif:"))
        candidates += [v[len(kind) + 1 :] for v in exif if v[: len(kind) + 1].lower() == f"{kind}:"]
        for text in candidates:
            # ComfyUI writes NaN, which Python's parser takes.
            graph = json_object(text)
            generation = read(graph) if graph else None
            if generation:
                return generation
    return None


def _comfy_prompt(graph: Mapping[str, Any]) -> Generation | None:
    nodes = {k: v for k, v in graph.items() if isinstance(v, dict) and "class_type" in v}
    nodes = {k: v for k, v in nodes.items() if isinstance(v.get("inputs"), dict)}
    if not nodes:
        return None
    inputs = [n["inputs"] for n in nodes.values()]
    model = next((i[k] for i in inputs for k in _COMFY_MODEL if _is_text(i.get(k))), "")
    makers = [n for n in nodes.values() if _COMFY_MAKER.search(_text(n["class_type"]))]
    linked = (n["inputs"].get(k) for n in makers[:MOST_MAKERS] for k in _COMFY_FED)
    prompt = next((t for t in (_comfy_text(link, nodes) for link in linked) if t), "")
    if not prompt:
        prompt = next((i["text"] for i in inputs if _is_text(i.get("text"))), "")
    return Generation("ComfyUI", model, prompt, certain=bool(makers))


def _text(value: object) -> str:
    """The value if it is text, else nothing: what should be a name may be anything in a hostile file."""
    return value if isinstance(value, str) else ""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _comfy_text(link: object, nodes: Mapping[str, Any]) -> str:
    """The first text that feeds an input: the input itself, or what its links lead to, nearest first."""
    queue, seen = [link], set()
    for _ in range(MOST_STEPS):
        if not queue:
            return ""
        item = queue.pop(0)
        if isinstance(item, str) and item.strip():
            return item
        key = str(item[0]) if isinstance(item, list) and item and isinstance(item[0], str | int) else ""
        if key in seen or key not in nodes:
            continue
        seen.add(key)
        inputs = nodes[key]["inputs"]
        first = [inputs[k] for k in _COMFY_TEXT if k in inputs]
        # A switch between inputs is followed whatever it calls them, but never into the negative prompt.
        queue += first or [v for k, v in inputs.items() if isinstance(v, list) and k != "negative"]
    return ""


def _comfy_workflow(graph: Mapping[str, Any]) -> Generation | None:
    listed = graph.get("nodes")
    nodes = [n for n in listed if isinstance(n, dict) and "type" in n] if isinstance(listed, list) else []
    if not nodes or "links" not in graph:
        return None
    makers = [n for n in nodes if _COMFY_MAKER.search(_text(n["type"]))]

    def values(word: str) -> Iterator[str]:
        for node in nodes:
            widgets = node.get("widgets_values")
            if word in _text(node["type"]).lower() and isinstance(widgets, list):
                yield from (w for w in widgets if _is_text(w))

    model = next((v for kind in ("checkpointloader", "unetloader") for v in values(kind)), "")
    return Generation("ComfyUI", model, next(values("textencode"), ""), certain=bool(makers))


def _invokeai(texts: Mapping[str, str]) -> Generation | None:
    """InvokeAI: `invokeai_metadata`, before that `sd-metadata`, before that the command line `Dream`.

    https://github.com/invoke-ai/InvokeAI/blob/main/invokeai/app/services/image_files/image_files_disk.py
    """
    new = json_object(texts.get("invokeai_metadata", "")) or {}
    if "positive_prompt" in new or "app_version" in new:
        model = new.get("model")
        name = _text(model.get("name") or model.get("model_name")) if isinstance(model, dict) else _text(model)
        return Generation("InvokeAI", name, _text(new.get("positive_prompt")))
    graph = json_object(texts.get("invokeai_graph", "")) or {}
    if "nodes" in graph and "edges" in graph:
        return Generation("InvokeAI")
    old = json_object(texts.get("sd-metadata", "")) or {}
    image = old.get("image")
    if isinstance(image, dict) and "prompt" in image:
        parts = image["prompt"] if isinstance(image["prompt"], list) else [{"prompt": image["prompt"]}]
        prompt = " ".join(_text(p.get("prompt")) for p in parts if isinstance(p, dict))
        return Generation("InvokeAI", _text(old.get("model_weights")) or _text(old.get("model")), prompt)
    # "a prompt in quotes" -s50 -S1234 -W512 -H512 -C7.5 -Ak_lms
    prompt, closed, options = texts.get("Dream", "").rpartition('" ')
    if closed and prompt.startswith('"') and len(re.findall(r"(?:^| )-[sSWHCA]", options)) >= 3:
        return Generation("InvokeAI", "", prompt[1:])
    return None


def _novelai(texts: Mapping[str, str]) -> Generation | None:
    """NovelAI: Software "NovelAI", Comment in JSON, the model in Source. (https://docs.novelai.net)"""
    if texts.get("Software", texts.get("exif:Software", "")) != "NovelAI":
        return None
    comment = next((c for c in map(json_object, _comments(texts)) if c), {})
    prompt = _text(comment.get("prompt")) or texts.get("Description", "")
    return Generation("NovelAI", texts.get("Source", ""), prompt)


def _json_comments(texts: Mapping[str, str]) -> Generation | None:
    """The JSON comments of SwarmUI, Fooocus, Draw Things, Easy Diffusion and Tensor.Art, told apart by their keys."""
    scheme = "fooocus_scheme" in texts or texts.get("exif:MakerNote", "").startswith(("fooocus", "a1111"))
    for text in (*_comments(texts), texts.get("generation_data", "")):
        data = json_object(text)
        if not data:
            continue
        swarm = data.get("sui_image_params")  # https://github.com/mcmonkeyprojects/SwarmUI/blob/master/docs
        if isinstance(swarm, dict):
            return Generation("SwarmUI", _text(swarm.get("model")), _text(swarm.get("prompt")))
        # https://github.com/lllyasviel/Fooocus/blob/main/modules/meta_parser.py
        if "base_model" in data and "prompt" in data and (scheme or _text(data.get("version")).startswith("Fooocus")):
            return Generation("Fooocus", _text(data["base_model"]), _text(data["prompt"]))
        # https://github.com/drawthingsai/draw-things-community: c is the prompt, uc the negative one
        if {"c", "uc", "model", "sampler", "steps"} <= data.keys():
            return Generation("Draw Things", _text(data["model"]), _text(data["c"]))
        # https://github.com/easydiffusion/easydiffusion/blob/main/ui/easydiffusion/utils/save_utils.py
        if "use_stable_diffusion_model" in data and "prompt" in data:
            return Generation("Easy Diffusion", _text(data["use_stable_diffusion_model"]), _text(data["prompt"]))
        base = data.get("baseModel")
        if isinstance(base, dict) and "prompt" in data:
            return Generation("Tensor.Art", _text(base.get("modelFileName")), _text(data["prompt"]))
    model = texts.get("use_stable_diffusion_model") or texts.get("Stable Diffusion model") or ""
    prompt = texts.get("prompt") or texts.get("Prompt") or ""
    if model and prompt:
        return Generation("Easy Diffusion", model, prompt)
    return None


PARSERS: tuple[Callable[[Mapping[str, str]], Generation | None], ...] = (
    _invokeai,
    _novelai,
    _json_comments,
    _a1111,
    _comfyui,
)

detector = _Parameters()
