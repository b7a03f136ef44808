"""Any layer, without a plugin, a task or a dataset."""
