"""The classification task: its data, loss, metric, predictor and families."""
