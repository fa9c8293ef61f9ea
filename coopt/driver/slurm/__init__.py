"""A run's tasks as jobs: on SLURM, or as processes of this machine, through submitit."""
