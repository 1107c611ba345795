"""Who is let in: how many questions at once, who waits and for how long, and who is told to come back, and when."""
