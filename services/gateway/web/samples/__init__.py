"""Samples that the page offers to try: slices that pydicom carries, or the pictures of a folder."""
