"""The segmentation task: its data, loss, metric, predictor and families."""
