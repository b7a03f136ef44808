"""Which units of a group matter least: by their weights, by data, or by a function of the user's own."""
