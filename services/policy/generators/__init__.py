"""Writers of a policy's text: a model in this process, or one behind a server."""
