"""Routes for administrators alone: reviews and calibrators; and the audit log's entries about what they do."""
