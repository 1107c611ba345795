"""The miniature models: shipped artifacts beside the recipe that made them."""
