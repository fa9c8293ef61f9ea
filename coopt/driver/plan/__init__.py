"""What a run will do, how long that takes and how much memory it needs."""
