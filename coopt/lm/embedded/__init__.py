"""How the embedded base and its specialists are taught."""
