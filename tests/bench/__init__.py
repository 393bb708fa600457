"""Benchmarks: scripts that measure and show, not tests that pass or fail."""
