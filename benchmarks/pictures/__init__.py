"""Pictures that attack: what they cost the services, and those who ask beside them."""
