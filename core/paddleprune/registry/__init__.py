"""Plugins -> tasks and families by name, and typed calls to the hooks behind them."""

from paddleprune.registry.catalog import PluginRecord as PluginRecord
from paddleprune.registry.routing import Registry as Registry
