"""ONNX sessions: loaded on first use, pinned by SHA-256, checked against the manifest, and timed."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from detectors.errors import SetupError
from detectors.inference.manifest import REMEDY, ModelEntry, entry, verified_bytes

PROVIDER = "CPUExecutionProvider"
THREADS_SETTING = "COUNTERPROOF_THREADS"
LOG_FATAL = 4  # ONNX Runtime writes lesser messages to the process's own streams, past Python
LOAD_ERRORS = (
    runtime.Fail,
    runtime.InvalidArgument,
    runtime.InvalidGraph,
    runtime.InvalidProtobuf,
    runtime.NoModel,
    runtime.NotImplemented,
    runtime.RuntimeException,
    RuntimeError,
    ValueError,
)

# Builds for Windows can send usage events through the system; nothing may leave the machine.
onnxruntime.disable_telemetry_events()

_lock = threading.Lock()
_sessions: dict[str, onnxruntime.InferenceSession] = {}
_model_ms = 0.0


def threads() -> int:
    """Threads per model, from COUNTERPROOF_THREADS; 1 when it is unset or not a number from 1 to 64.

    One is right for folders: the workers already keep every core busy.
    """
    text = os.environ.get(THREADS_SETTING, "1")
    return int(text) if text.isdecimal() and 1 <= int(text) <= 64 else 1


def session(model_id: str) -> onnxruntime.InferenceSession:
    """The session of one model, made on first use and kept.

    Raises SetupError when the file is missing or altered, or does not load on the processor as the manifest says.
    """
    with _lock:
        found = _sessions.get(model_id)
        if found is None:
            found = _sessions[model_id] = _load(entry(model_id))
        return found


def run(
    model_id: str, feeds: Mapping[str, npt.NDArray[np.float32]], names: Sequence[str] | None = None
) -> list[npt.NDArray[np.float32]]:
    """The model's outputs for named inputs, all or those of these `names`; its time is added to `model_ms`. Raises
    SetupError as `session` does."""
    global _model_ms
    loaded = session(model_id)
    start = time.perf_counter()
    outputs: list[npt.NDArray[np.float32]] = loaded.run(names, dict(feeds))
    spent = (time.perf_counter() - start) * 1000
    with _lock:
        _model_ms += spent
    return outputs


def model_ms() -> float:
    """Milliseconds that this process has spent inside models so far."""
    return _model_ms


def options() -> Any:
    """What every session is made with: one thread budget, silence, and idle threads that sleep.

    The arena stays on: measured, it costs less memory than going without (150 against 156 MiB with two models loaded,
    one view at a time) and a tenth less time.
    """
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads()
    chosen.inter_op_num_threads = 1
    chosen.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    chosen.enable_mem_pattern = False  # one block planned for all of a run's values: 18 MiB more with CLIP's networks
    chosen.log_severity_level = LOG_FATAL
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def _give_back_memory() -> None:
    """Returns freed pages to the system: reading a model leaves 20 MiB behind in glibc's heap."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):  # not in musl
            libc.malloc_trim(0)


def _load(model: ModelEntry) -> onnxruntime.InferenceSession:
    data = verified_bytes(model)
    try:
        loaded = onnxruntime.InferenceSession(data, options(), providers=[PROVIDER])
    except LOAD_ERRORS as e:
        raise SetupError("model_unusable", f"The model {model.id} could not be loaded.", REMEDY) from e
    del data
    _give_back_memory()
    providers = loaded.get_providers()
    inputs = {i.name: tuple(d if isinstance(d, int) else None for d in i.shape) for i in loaded.get_inputs()}
    outputs = tuple(o.name for o in loaded.get_outputs())
    if providers != [PROVIDER] or inputs != dict(model.inputs) or outputs != model.outputs:
        message = f"The model {model.id} is not what the list of models says it is."
        raise SetupError("model_unusable", message, REMEDY)
    return loaded
