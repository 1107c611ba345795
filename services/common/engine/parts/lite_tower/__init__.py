"""EfficientNet-Lite, the picture network that comes as a part."""
