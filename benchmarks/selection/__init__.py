"""Whether promises of selection are kept, and what they cost."""
