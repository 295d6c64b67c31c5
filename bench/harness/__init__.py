"""Starts, drives and measures servers."""
