"""A model's entry in models/manifest.toml, as the recipes write it. Standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).resolve().parents[1] / "manifest.toml"


@dataclass(frozen=True)
class Entry:
    """What is said of the model at `target`, whose file name without its ending is its id.

    `shape` is that of its first input, `source`; `beside` holds the shapes of others by name. `figures` holds
    `calibration` and `bands` of the detector that the model serves, `card` the name of the card that they stand in.
    `companion` is another model's id and weight.
    """

    target: Path
    written_by: str
    derived_from: str
    preprocess: str
    golden: str
    shape: Sequence[int | str]
    detector: str | None = None
    profile: str | None = None
    figures: Mapping[str, Any] | None = None
    card: str | None = None
    companion: tuple[str, float] | None = None
    source: str = "pixels"
    outputs: Sequence[str] = ("logits",)
    beside: Mapping[str, Sequence[int | str]] = field(default_factory=dict)

    def text(self) -> str:
        """The entry's TOML, between two comment lines by which it is found again."""
        content, name = self.target.read_bytes(), self.target.stem
        outputs = ", ".join(f'"{o}"' for o in self.outputs)
        inputs = [
            f'{{ name = "{name}", shape = [{", ".join(map(_quoted, shape))}] }}'
            for name, shape in {self.source: self.shape, **self.beside}.items()
        ]
        lines = [
            f"# {name}: written by models/training/{self.written_by}",
            "[[model]]",
            f'id = "{name}"',
            f'file = "{self.target.name}"',
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            f"bytes = {len(content)}",
            'licence = "AGPL-3.0-or-later"',
            f'derived_from = "{self.derived_from}"',
            f'preprocess = "{self.preprocess}"',
            *([f'detector = "{self.detector}"'] if self.detector else []),
            *([f'profile = "{self.profile}"'] if self.profile else []),
            f"outputs = [{outputs}]",
            f'golden = "{self.golden}"',
            f"input = [{', '.join(inputs)}]",
        ]
        if self.figures is not None:
            table, bands = self.figures["calibration"], self.figures["bands"]
            lines.append(f"calibration = {{ raw = {table['raw']}, probability = {table['probability']} }}")
            if self.companion is not None:
                lines.append(f'companion = {{ id = "{self.companion[0]}", weight = {self.companion[1]} }}')
            lines += ["", f"[model.bands]  # on the probability; rates measured as cards/{self.card}.md says"]
            lines += [f"{key} = {value}" for key, value in bands.items() if key != "by_quality"]
            for quality, rates in bands.get("by_quality", {}).items():
                lines += ["", f"[model.bands.by_quality.{quality}]", *(f"{k} = {v}" for k, v in rates.items())]
        return "\n".join([*lines, f"# end of {name}"])

    def write(self, manifest: Path = MANIFEST) -> None:
        """Puts the entry in place of the last one with the same first and last line, or at the end."""
        text, old = self.text(), manifest.read_text(encoding="utf-8")
        begin, end = text.split("\n")[0], text.split("\n")[-1]
        if begin in old:
            before, rest = old.split(begin, 1)
            manifest.write_text(before + text + rest.split(end, 1)[1], encoding="utf-8")
        else:
            manifest.write_text(old.rstrip() + "\n\n" + text + "\n", encoding="utf-8")


def _quoted(dimension: int | str) -> str:
    return f'"{dimension}"' if isinstance(dimension, str) else str(dimension)
