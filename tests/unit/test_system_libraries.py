"""Missing shared libraries are named as Debian packages before Qt is imported. The loader is a fake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from desktop import system_libraries

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Debian packages are named on Linux only")


def loader(*absent: str) -> system_libraries.Loader:
    def load(name: str) -> object:
        if name in absent:
            raise OSError(f"{name}: cannot open shared object file")
        return object()

    return load


@linux
def test_everything_present() -> None:
    assert system_libraries.missing({"DISPLAY": ":0"}, loader()) == []
    assert system_libraries.problem({"DISPLAY": ":0"}, loader()) is None


@linux
def test_missing_ones_are_packages_sorted_and_once() -> None:
    load = loader("libxcb-icccm.so.4", "libglib-2.0.so.0", "libgthread-2.0.so.0")
    assert system_libraries.missing({"DISPLAY": ":0"}, load) == ["libglib2.0-0", "libxcb-icccm4"]
    said = system_libraries.problem({"DISPLAY": ":0"}, load)
    assert said is not None
    assert said.endswith("sudo apt install libglib2.0-0 libxcb-icccm4")
    assert "\n" not in said


@linux
def test_only_what_the_platform_needs() -> None:
    load = loader("libxcb-cursor.so.0", "libwayland-cursor.so.0")
    assert system_libraries.missing({"QT_QPA_PLATFORM": "offscreen"}, load) == []
    assert system_libraries.missing({"WAYLAND_DISPLAY": "wayland-0"}, load) == ["libwayland-cursor0"]
    assert system_libraries.missing({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, load) == ["libxcb-cursor0"]
    assert system_libraries.missing({}, load) == ["libxcb-cursor0"]
    assert system_libraries.missing({"QT_QPA_PLATFORM": "xcb:foo;wayland"}, load) == ["libxcb-cursor0"]


@linux
def test_no_screen_is_said_plainly() -> None:
    said = system_libraries.problem({}, loader())
    assert said is not None
    assert "no screen" in said
    assert "counterproof scan" in said
    assert system_libraries.problem({"QT_QPA_PLATFORM": "offscreen"}, loader()) is None


@linux
@pytest.mark.parametrize("plugin", ["libqxcb.so", "libqoffscreen.so", "libqwayland.so"])
def test_the_lists_cover_what_the_plugins_link_to(plugin: str) -> None:
    """Against the installed wheel: a library that Qt's plugin newly needs turns this red."""
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not installed")
    import PySide6

    root = Path(PySide6.__file__).parent
    files = [root / "Qt" / "plugins" / "platforms" / plugin, root / "Qt" / "lib" / "libQt6Gui.so.6"]
    needed: set[str] = set()
    for file in files:
        out = subprocess.run(["objdump", "-p", str(file)], capture_output=True, text=True, check=True).stdout
        needed |= {line.split()[1] for line in out.splitlines() if line.strip().startswith("NEEDED")}
    listed = {**system_libraries.ALWAYS, **system_libraries.XCB, **system_libraries.WAYLAND}
    base = (
        "libc.so",
        "libm.so",
        "libstdc++",
        "libgcc_s",
        "libpthread",
        "libdl",
        "ld-linux",
        "libQt6",
        "libz.so",
        "librt",
    )
    uncovered = {n for n in needed if n not in listed and not n.startswith(base) and not list(root.rglob(n))}
    assert needed
    assert uncovered == set()


def test_other_systems_need_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system_libraries.missing({}, loader("libGL.so.1")) == []
    assert system_libraries.problem({}, loader("libGL.so.1")) is None


def test_qt_is_not_imported_by_the_check() -> None:
    code = "import sys, desktop.system_libraries as s; s.missing(); sys.exit('PySide6' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
