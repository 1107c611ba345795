"""Models joined of parts: a frozen picture network, a small trained projector, and a language model with an adapter."""
