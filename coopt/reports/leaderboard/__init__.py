"""Results that anybody can check: an entry, its answers, and the tables made of entries."""
