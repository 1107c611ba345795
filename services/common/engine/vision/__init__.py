"""Pictures on their way into the model: decoding, and the families of models that see, each in its own way."""
