"""What makes a run: its tasks in their order, what is decided on the way, who performs them."""
