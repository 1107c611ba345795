"""Training data: texts as the models see them, hints, pictures, and the rows made of them."""
