"""Runs a command and measures the whole of it: wall time, processor time, and the memory of all its processes."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SAMPLE_SECONDS = 0.1
_MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """Memory of a process and all below it, in MiB. PSS counts shared pages once, RSS in every process."""

    seconds: float
    pss: float
    rss: float


@dataclass(frozen=True)
class Measured:
    """One run. `cpu` is user and system time of the command and all it waited for, in seconds."""

    seconds: float
    cpu: float
    samples: tuple[Sample, ...]
    output: str
    status: int

    @property
    def peak_pss(self) -> float:
        """MiB."""
        return max((s.pss for s in self.samples), default=0.0)

    @property
    def peak_rss(self) -> float:
        """MiB."""
        return max((s.rss for s in self.samples), default=0.0)


def run(command: Sequence[str], env: Mapping[str, str] | None = None, memory: bool = True) -> Measured:
    """Run to the end. `env` is added to our own. Raises RuntimeError when the command dies of a signal or of usage."""
    before = _children_cpu()
    started = time.perf_counter()
    samples: list[Sample] = []
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=said, stderr=said)
        ended = threading.Event()
        sampler = threading.Thread(target=_sample, args=(process.pid, started, ended, samples))
        if memory:
            sampler.start()
        status = process.wait()
        seconds = time.perf_counter() - started
        ended.set()
        if memory:
            sampler.join()
        said.seek(0)
        output = said.read().decode("utf-8", "replace")
    if status not in (0, 1):
        raise RuntimeError(f"{command} ended with {status}: {output[-2000:]}")
    return Measured(seconds, _children_cpu() - before, tuple(samples), output, status)


def tree(root: int) -> list[int]:
    """`root` and all processes below it."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def memory(root: int) -> tuple[float, float]:
    """PSS and RSS in MiB, summed over `root` and all below it."""
    totals = {b"Pss": 0, b"Rss": 0}
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
        except OSError:
            continue
        for line in lines:
            key, _, rest = line.partition(b":")
            if key in totals:
                totals[key] += int(rest.split()[0]) * 1024
    return totals[b"Pss"] / _MIB, totals[b"Rss"] / _MIB


def _sample(root: int, started: float, ended: threading.Event, samples: list[Sample]) -> None:
    while not ended.wait(_SAMPLE_SECONDS):
        pss, rss = memory(root)
        samples.append(Sample(time.perf_counter() - started, pss, rss))


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
