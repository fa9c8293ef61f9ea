"""Who writes feedback, who reads it, and what the filter makes of it."""
