"""Rollout engines: transformers in this process, or vLLM in one beside it."""
