"""Memory of a training step, simulated without a GPU, against the plan's figures."""
