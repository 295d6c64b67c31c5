"""A Clever that answers at once, for measurements."""
