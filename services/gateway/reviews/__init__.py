"""Reviews one by one: who said what, and administrators' strikes."""
