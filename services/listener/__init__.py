"""The listener: answers questions about a picture archive's new instances, and stores the reports beside them."""
