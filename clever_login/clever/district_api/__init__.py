"""Rosters and events, read with a district's own token."""
