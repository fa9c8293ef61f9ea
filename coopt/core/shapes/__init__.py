"""What the files of a run hold, as far as readers rely on it. A run may be of an earlier coopt, or of somebody else."""
