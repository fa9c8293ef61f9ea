"""What writes rollouts: transformers in this process, or vLLM beside it."""
