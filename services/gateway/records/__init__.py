"""Records: answers and reviews of them in a database, for feedback, monitoring and refits."""
