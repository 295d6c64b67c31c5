"""A table of faults of everything that the app uses, and what users notice of each."""
