"""Texts of error pages: for users, and for operators."""
