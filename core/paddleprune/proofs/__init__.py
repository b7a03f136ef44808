"""Is a file that was written the model? It is run, and compared."""
