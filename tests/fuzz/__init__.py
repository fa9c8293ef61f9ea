"""Every reader of coopt against mutations of what it reads: ``make fuzz``, and a part of it in ``make test``."""
