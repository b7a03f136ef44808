"""paddleprune prunes the channels of any Paddle model, and proves that what it cut is what it measured."""

__version__ = "0.1.0"
