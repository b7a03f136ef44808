"""What a model is worth: its metric, latency and size."""
