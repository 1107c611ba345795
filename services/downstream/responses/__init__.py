"""OpenAI's Responses API: another wording of what chat completions do, answered by the same code.

`requests` holds what is taken, `chat_translation` turns it into a chat, `documents` and `events` write the replies.
"""
