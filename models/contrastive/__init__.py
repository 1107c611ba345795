"""Recipe of the contrastive miniature: an image tower and a text tower, trained from scratch on phantoms."""
