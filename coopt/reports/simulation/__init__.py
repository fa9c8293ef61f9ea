"""What a simulation found, as tables and a picture."""
