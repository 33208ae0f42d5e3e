"""Public detectors that a user has fetched herself: what she says of them, where they are kept, how they are asked.

The parent process imports this; nothing in it opens a model. That happens in `detectors.inference.third_party`, in a
worker process of the model's own.
"""
