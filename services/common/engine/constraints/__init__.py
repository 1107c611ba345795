"""Grammars that texts are held to, and penalties and biases: changes of the logits that a request asks for."""
