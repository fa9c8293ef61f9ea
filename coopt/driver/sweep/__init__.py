"""Suites: many benches in the most informative order, read as one table."""
