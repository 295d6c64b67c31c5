"""Repeatable benchmarks. The app does not need this folder."""
