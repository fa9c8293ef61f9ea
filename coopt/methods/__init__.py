"""What becomes of a rollout: a method's step, the phase of a tutee, what is written down; students and scores."""
