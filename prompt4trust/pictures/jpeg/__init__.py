"""JPEG files: their segments, and what of them goes on."""
