"""What a request holds its texts to, or turns them away from: grammars, penalties and biases, applied to the logits."""
