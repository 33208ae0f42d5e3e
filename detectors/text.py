"""Text that a file carries, made fit to be shown: one line, no control or direction marks, bounded."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

# Longest text that a finding's details keep of any one value, in characters.
LONGEST = 4096


def clean(untrusted: object, longest: int = LONGEST) -> str:
    """The text on one line, without control, format and surrogate characters, cut to `longest` characters.

    Unicode categories C* include direction overrides, with which a file could make a sentence read differently.
    """
    text = str(untrusted)[: longest * 4]
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def quoted(untrusted: object, longest: int = 160) -> str:
    """The cleaned text in double quotation marks, with those inside it turned into single ones."""
    return '"' + clean(untrusted, longest).replace('"', "'") + '"'


# A large ComfyUI workflow is some hundred KB.
MAX_JSON = 4_000_000


def json_object(untrusted: str) -> dict[str, Any] | None:
    """The JSON object that the whole text is, or None: too long, nested too deeply, not JSON or not an object."""
    text = untrusted.strip("\x00 \t\r\n")
    if not text.startswith("{") or len(text) > MAX_JSON:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
