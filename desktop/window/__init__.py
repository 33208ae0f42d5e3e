"""The window: the only place that imports PySide6. Its view models (words, table, describe, reveal, runner) do not."""
