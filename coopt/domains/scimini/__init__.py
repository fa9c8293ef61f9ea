"""The embedded world: facts, and the questions and texts that are made of them."""
