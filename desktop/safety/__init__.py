"""What keeps people safe: the age gate, the helplines, the reading of passphrases. No Qt."""
