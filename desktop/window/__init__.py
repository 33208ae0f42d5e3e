"""The window: the only place that imports PySide6.

Its view models (words, table, describe, reveal, runner, case_runner, case_view, look_alikes) do not.
"""
