"""The app around the engine: command line, window, and what they write."""
