"""The home of the segmentation task. It registers nothing yet, so `paddleprune tasks` doesn't list it."""
