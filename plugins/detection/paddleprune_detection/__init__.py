"""The home of the detection task. It registers nothing yet, so `paddleprune tasks` doesn't list it."""
