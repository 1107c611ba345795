"""Rates and numbers of requests that one caller may send, told in the headers RateLimit and RateLimit-Policy."""
