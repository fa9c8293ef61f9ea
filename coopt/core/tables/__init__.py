"""A table, how its cells are written, and its formats."""
