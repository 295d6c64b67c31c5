"""The views of Clever's URLs."""
