"""A school year, step by step."""
