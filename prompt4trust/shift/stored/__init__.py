"""Parts of a reference as its file holds them."""
