"""The `flask clever` commands."""
