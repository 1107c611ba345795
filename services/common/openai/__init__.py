"""OpenAI's API as services here speak it: its errors, and the parts of requests that its routes have in common."""
