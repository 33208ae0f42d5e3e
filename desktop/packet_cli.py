"""The `packet` verb."""
