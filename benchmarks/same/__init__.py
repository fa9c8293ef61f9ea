"""Proof that a refactoring changed nothing: the same small benches on two checkouts, compared to the bit."""
