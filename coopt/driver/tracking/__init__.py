"""A run's curves in TensorBoard, trackio or wandb, followed from its folder by a process beside the driver."""
