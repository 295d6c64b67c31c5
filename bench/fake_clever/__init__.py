"""A stand-in for Clever that responds immediately, for benchmarks."""
