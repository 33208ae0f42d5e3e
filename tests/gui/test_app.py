"""The app as it is started: its own process, the real engine, nothing written, nothing left running."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.safety import age_gate
from desktop.settings import PROFILES, Settings
from desktop.window import app
from desktop.window.case_session import CaseSession
from desktop.window.main_window import MainWindow
from desktop.window.reveal import Stage
from desktop.window.session import Session
from desktop.window.table import Column
from detectors.finding import Profile
from detectors.inputs import find_inputs
from detectors.intake.limits import Limits
from detectors.scan import Scanner, ScanOptions
from detectors.verdict import Bands

# Of no importance here: these tests look at what the files declare and at what cannot be read.
BANDS = Bands(0.9, 0.1, 0.01, 0.5, 0.2, 1000, 1000)
POINTS = {"generated": BANDS}

# Opens and closes the file dialog in a folder of its own, then leaves, as a user would.
DRIVER = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFileDialog
from desktop.window import app, main_window

class Driven(main_window.MainWindow):
    def show(self):
        super().show()
        QTimer.singleShot(100, self.choose_folder)
        QTimer.singleShot(700, lambda: self.findChild(QFileDialog).accept())
        QTimer.singleShot(1000, self.leave)

main_window.MainWindow = Driven
{extra}
sys.exit(app.run([]))
"""


def drive(home: Path, extra: str = "") -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    env |= {"HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    code = textwrap.dedent(DRIVER).format(extra=extra)
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def files(home: Path) -> list[str]:
    return [p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file() and "fontconfig" not in p.parts]


def test_starts_and_leaves_without_writing_anything(tmp_path: Path) -> None:
    ended = drive(tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path) == []


def test_the_check_sees_what_qt_writes_by_itself(tmp_path: Path) -> None:
    """Without our setting, Qt's dialog does leave the visited folder behind; so the test above can fail."""
    ended = drive(tmp_path, "from PySide6.QtCore import QSettings; QSettings.setPath = lambda *a: None")
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path) != []


def test_the_settings_hold_in_the_window_too() -> None:
    limits = Limits(max_bytes=1000)
    options = app.scan_options(Settings(jobs=3, limits=limits))
    assert (options.jobs, options.limits) == (3, limits)
    assert app.scan_options(Settings()) == ScanOptions()
    assert [app.profile(Settings(profile=p)) for p in PROFILES] == [None, *Profile]


def test_the_icon_is_there() -> None:
    assert app.ICON.is_file()


@pytest.fixture
def real_window() -> Iterator[MainWindow]:
    """A window with the real engine, one worker."""
    session = Session(lambda: Scanner(ScanOptions(jobs=1, points=POINTS)), find_inputs)
    window = MainWindow(session, CaseSession(app.casebooks, 10))
    window.adults = age_gate.admit(age_gate.Answer.ADULTS)
    window.show()
    window.activateWindow()
    yield window
    window.hide()
    window.shutdown()
    window.deleteLater()


def test_the_demo_pictures_with_the_real_engine(real_window: MainWindow, demo: Path, qtbot: QtBot) -> None:
    window = real_window
    window.add([str(demo)])
    qtbot.waitUntil(lambda: not window.session.busy, timeout=120_000)
    model = window.model
    found = {
        model.index(i, Column.NAME).data(): [model.index(i, c).data() for c in (Column.STATE, Column.VERDICT)]
        for i in range(model.rowCount())
    }
    assert len(found) == sum(p.is_file() for p in demo.iterdir())
    assert found["05-with-web-ui-settings.png"] == ["Checked", "Says it is synthetic"]
    assert found["14-cut-short.jpg"] == ["Not readable", ""]
    window.view.setCurrentIndex(model.index(0, 0))
    picture = window.detail.picture
    qtbot.waitUntil(lambda: picture.reveal.blurred is not None, timeout=20_000)
    picture.setFocus()
    QTest.keyPress(picture, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: picture.reveal.stage is Stage.CLEAR, timeout=20_000)
    assert picture.reveal.clear is not None
    assert len(picture.reveal.clear.rgb) == picture.reveal.clear.width * picture.reveal.clear.height * 3
    QTest.keyRelease(picture, Qt.Key.Key_Space)
    assert picture.reveal.clear is None


def test_leaving_in_the_middle_of_a_real_scan_is_quick(real_window: MainWindow, demo: Path, qtbot: QtBot) -> None:
    real_window.add([str(demo)])
    qtbot.waitUntil(lambda: real_window.model.rowCount() > 0, timeout=20_000)
    started = time.monotonic()
    real_window.leave()
    assert not real_window.isVisible()
    assert time.monotonic() - started < 1
    real_window.shutdown()
    assert time.monotonic() - started < 15
