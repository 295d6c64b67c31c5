"""Roster visibility, and the pages that show classes, schools and districts."""
