"""The import contracts hold, and each of them goes red on a planted fault."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = "The window stands on packets, these on casebook and safety, and all on the engine"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages below `folder`."""
    code = (
        "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command(['--no-cache']))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages' Python files and the contracts, in a folder of their own."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("detectors", "desktop", "models"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.onnx", "__pycache__"))
    return tmp_path


def test_contracts_hold(copy: Path) -> None:
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout
    assert "5 kept" in result.stdout


def test_the_contract_on_qt_names_every_module_outside_the_window() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    named = next(c for c in contracts if c["name"] == "Qt only in desktop.window")["source_modules"]
    there = {
        f"desktop.{p.stem}" for p in (ROOT / "desktop").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert set(named) == there - {"desktop.__init__", "desktop.__main__", "desktop.window"}


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("detectors/scan.py", "import PySide6.QtCore", "The engine knows nothing of the app or of Qt"),
        ("detectors/scan.py", "import desktop.cli", "The engine knows nothing of the app or of Qt"),
        (
            "desktop/casebook/records.py",
            "import desktop.window.words",
            LAYERS,
        ),
        ("desktop/casebook/records.py", "import desktop.packets", LAYERS),
        ("desktop/packets/__init__.py", "import desktop.window.words", LAYERS),
        ("desktop/packets/__init__.py", "import PySide6.QtCore", "Qt only in desktop.window"),
        ("desktop/cli.py", "import PySide6.QtCore", "Qt only in desktop.window"),
        ("desktop/batch.py", "import PySide6.QtCore", "Qt only in desktop.window"),
        ("detectors/scan.py", "import urllib.request", "Network modules nowhere"),
        ("desktop/cli.py", "import socket", "Network modules nowhere"),
        ("detectors/cache.py", "import pickle", "Pickle nowhere"),
    ],
)
def test_planted_fault_is_noticed(copy: Path, module: str, line: str, contract: str) -> None:
    path = copy / module
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    result = lint_imports(copy)
    assert result.returncode != 0
    assert f"{contract} BROKEN" in " ".join(result.stdout.split()), result.stdout  # long names are wrapped
