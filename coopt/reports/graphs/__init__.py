"""Graphs drawn, sketched in the terminal, and in numbers."""
