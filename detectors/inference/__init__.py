"""Models: the manifest that pins them, the sessions that run them, and the preprocessing that is part of them."""

import os

# ONNX Runtime 1.31 collects usage events on every system: as it is imported it writes an identifier of this computer
# and a store of events into the cache folder, and it has what it needs to send them. Only this, set before, stops it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
