"""Language models: weights, decoding, the update, several ranks."""
