"""The same tasks as jobs of a cluster, through submitit."""
