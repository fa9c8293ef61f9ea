"""Every setting of a run, its presets, and what a run is."""
