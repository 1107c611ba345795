"""Parts of the gateway's settings, each of one matter, that rest on nothing else of the gateway."""
