"""The simulator: real graphs, gates and schedules, students by a stated stochastic model."""
