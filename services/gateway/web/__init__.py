"""Routes, the page and signing in."""
