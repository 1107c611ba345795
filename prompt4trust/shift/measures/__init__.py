"""Ways to score a question beside known ones: by groups or rows of pictures, words, directions, and known answers."""
