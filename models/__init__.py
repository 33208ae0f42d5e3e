"""Weights, their manifest and cards, and (in `training`) the recipes that made them."""
