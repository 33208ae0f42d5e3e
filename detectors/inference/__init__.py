"""Models: the manifest that pins them, the sessions that run them, and the preprocessing that is part of them."""
