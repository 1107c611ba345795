"""Questions about real radiology pictures as multiple choice, hints about them, and views of the pictures."""
