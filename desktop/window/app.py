"""Starts the window."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from desktop import settings
from detectors.finding import Profile
from detectors.scan import ScanOptions, cores

if TYPE_CHECKING:
    from desktop.window.case_session import Store

ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "counterproof.svg"


def scan_options(chosen: settings.Settings) -> ScanOptions:
    """How the window scans, whatever the profile. Keeps no results for later."""
    return ScanOptions(jobs=chosen.jobs or cores(), limits=chosen.limits)


def profile(chosen: settings.Settings) -> Profile | None:
    """The profile that the settings ask for; None where it depends on how many files there are."""
    return None if chosen.profile == "auto" else Profile(chosen.profile)


def casebooks() -> Store:
    """What makes and opens casebooks. Called in their thread: it loads the libraries for encryption."""
    from desktop.casebook.casebook import Casebook

    return Casebook


def run(paths: list[str]) -> int:
    """Opens the window on `paths` (files, folders, or none) and gives the exit status when it is closed.

    Qt aborts the process when a library is missing, so `desktop.cli` asks `desktop.system_libraries` first.
    """
    from PySide6.QtCore import QCoreApplication, QSettings, QTimer
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from desktop.window import words
    from desktop.window.case_session import CaseSession
    from desktop.window.main_window import MainWindow
    from desktop.window.session import Session
    from detectors.inputs import find_inputs
    from detectors.scan import Scanner

    # Qt's file dialog would write the folders that were visited into the user's settings. There is no such place.
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, os.devnull)
    # Ctrl+C in the terminal ends the app; Qt's loop would not let Python see it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("Counterproof")
    app.setApplicationDisplayName("Counterproof")
    app.setWindowIcon(QIcon(str(ICON)))
    words.use_translator(QCoreApplication.translate)
    chosen = settings.load()
    window = MainWindow(
        Session(lambda: Scanner(scan_options(chosen)), find_inputs, profile(chosen)),
        CaseSession(casebooks, chosen.lock_minutes),
    )
    window.show()
    QTimer.singleShot(0, window, lambda: window.add(paths))
    try:
        return app.exec()
    finally:
        window.shutdown()
