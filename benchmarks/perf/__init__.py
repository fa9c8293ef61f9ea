"""Speed, memory and overhead, each as a ratio to a real peer or a stated limit: ``python -m benchmarks.perf``."""
