"""Results that anybody can check: an entry, its per-item outcomes, and the tables made of them."""
