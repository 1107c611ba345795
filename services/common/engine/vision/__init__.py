"""Pictures on their way into the model: decoding, patches, the vision tower, positions."""
