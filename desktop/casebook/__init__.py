"""The casebook: one encrypted file that records what happened, and a custody log that shows what was done with it."""
