"""Acceptance on a GPU: what must hold, and how fast it is. ``python -m benchmarks.gpu``; docs/gpu.md."""
