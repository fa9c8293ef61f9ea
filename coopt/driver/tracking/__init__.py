"""Curves in TensorBoard, trackio or wandb, by a process that follows the run's files."""
