"""Takedown packets: laws and platforms, what a request still lacks, routes, letters, the bag, and its check. No Qt."""
