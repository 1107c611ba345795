"""A contrastive model behind the chat API: it compares a picture with options and names the nearest."""
