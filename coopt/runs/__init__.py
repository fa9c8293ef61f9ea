"""The folder of a run: where everything lies, what was decided, and what came of it."""
