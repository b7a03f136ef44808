"""`python -m paddleprune`."""

from paddleprune.cli import main

main()
