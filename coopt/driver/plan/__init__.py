"""What a run needs, from settings and a config.json alone: no weights are loaded and nothing is measured."""
