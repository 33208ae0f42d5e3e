"""What a worker process is kept from doing, and an honest list of which of those protections hold here.

The one place where a worker locks itself in. Called after all codecs are loaded and before the first untrusted byte.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass
from typing import Any

from detectors.intake.limits import Limits

# Models, the standard streams and a few library files; a picture needs none.
_OPEN_FILES = 128
# Threads of a model run count too, and a busy machine is no fault of the file: only a runaway reaches this.
_CPU_SECONDS_PER_SECOND = 8


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection: a short name, whether it holds in the worker, and one plain sentence."""

    name: str
    holds: bool
    says: str

    def to_json(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)


def lock(limits: Limits) -> list[Protection]:
    """Lock this process in as far as the platform allows, and say what holds. Raises nothing: see `holds`."""
    return [
        Protection("separate_process", True, "Files are opened in a separate process, which can fail alone."),
        *_resource_limits(limits),
    ]


def allow_cpu(limits: Limits) -> None:
    """Give the next file its share of processor time; the system ends this process beyond it.

    The parent's clock comes first. This one holds even when the parent is gone.
    """
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime) + _CPU_SECONDS_PER_SECOND * max(1, round(limits.seconds))
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _resource_limits(limits: Limits) -> list[Protection]:
    """Memory, files, file size and core dumps, each set and then read back."""
    if sys.platform == "win32":
        return [Protection("resource_limits", False, "This system has no resource limits for one process.")]
    import resource

    wanted = [
        ("memory_limit", resource.RLIMIT_AS, limits.worker_memory, "A file can use only a bounded amount of memory."),
        ("no_writing", resource.RLIMIT_FSIZE, 0, "The process cannot write to any file."),
        ("open_file_limit", resource.RLIMIT_NOFILE, _OPEN_FILES, "The process can open only a few files."),
        ("no_core_dump", resource.RLIMIT_CORE, 0, "A crash leaves no copy of the picture on disk."),
    ]
    found = []
    for name, kind, value, says in wanted:
        try:
            resource.setrlimit(kind, (value, value))
            # macOS accepts a limit on address space and then does not keep to it.
            holds = resource.getrlimit(kind)[0] == value and not (name == "memory_limit" and sys.platform == "darwin")
        except (OSError, OverflowError, ValueError):
            holds = False
        found.append(Protection(name, holds, says if holds else f"Not on this system: {says[0].lower()}{says[1:]}"))
    return found
