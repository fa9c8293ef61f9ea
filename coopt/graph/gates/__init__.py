"""Whether a tutor may speak: decisions over edges and domains from scores."""
