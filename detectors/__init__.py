"""Counterproof's headless engine: untrusted bytes in, findings and a verdict out. Imports no Qt and no network."""

__version__ = "0.1.0"
