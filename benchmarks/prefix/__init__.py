"""What vLLM's prefix cache is worth to this project's prompts, and what their order is worth to it."""
