"""A network to files that other programs run: Paddle Inference, Paddle Lite, ONNX."""
