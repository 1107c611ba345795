"""OpenAI's chat completions as a way to ask the gateway: a chat becomes a question, a reply becomes a completion."""
