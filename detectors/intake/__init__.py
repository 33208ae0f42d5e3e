"""From untrusted bytes to a Picture: sniff, limits, decode, and the worker process in which that happens."""
