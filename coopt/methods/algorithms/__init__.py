"""One file a method: what its teacher sees, its loss, and why."""
