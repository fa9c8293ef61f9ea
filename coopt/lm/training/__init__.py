"""One optimizer step: rows, teacher, objective, gradients, checkpoints; on one device or sharded."""
