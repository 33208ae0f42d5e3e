"""Which shared libraries Qt needs from the system and does not find, said before Qt aborts. Imports no Qt.

The lists are what `ldd` reports outside the PySide6 wheel (6.12) for QtWidgets and its xcb, wayland and offscreen
platform plugins, less what every Debian system has.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable, Mapping

# Shared object -> Debian package (names as of Debian 12; later releases provide the same names).
ALWAYS = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libzstd.so.1": "libzstd1",
}
XCB = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
WAYLAND = {
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
}

Loader = Callable[[str], object]


def platform(env: Mapping[str, str]) -> str:
    """The Qt platform that this environment asks for: `offscreen`, `wayland`, `xcb`, …; empty when there is none."""
    asked = env.get("QT_QPA_PLATFORM", "").split(";")[0].split(":")[0]
    if asked:
        return asked
    if env.get("DISPLAY"):
        return "xcb"
    return "wayland" if env.get("WAYLAND_DISPLAY") else ""


def missing(env: Mapping[str, str] | None = None, load: Loader = ctypes.CDLL) -> list[str]:
    """Debian packages that the window needs here and that are absent, sorted. Empty on other systems than Linux.

    Without any display, what a screen under X would need is listed.
    """
    if not sys.platform.startswith("linux"):
        return []
    wanted = platform(os.environ if env is None else env) or "xcb"
    libraries = {**ALWAYS, **({"xcb": XCB, "wayland": WAYLAND}.get(wanted, {}))}
    return sorted({package for name, package in libraries.items() if not _loads(name, load)})


def install_command(packages: Iterable[str]) -> str:
    """What to type to install them."""
    return f"sudo apt install {' '.join(packages)}"


def problem(env: Mapping[str, str] | None = None, load: Loader = ctypes.CDLL) -> str | None:
    """Why no window can open here, with what to do, in one line; None when nothing stands in the way."""
    env = os.environ if env is None else env
    packages = missing(env, load)
    if packages:
        return f"The window needs packages that are not installed: {install_command(packages)}"
    if sys.platform.startswith("linux") and not platform(env):
        return (
            "There is no screen here to open a window on (DISPLAY and WAYLAND_DISPLAY are not set). "
            "Use “counterproof scan” instead, or start from a desktop session."
        )
    return None


def _loads(name: str, load: Loader) -> bool:
    try:
        load(name)
    except OSError:
        return False
    return True
