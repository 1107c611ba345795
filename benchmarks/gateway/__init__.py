"""Throughput of a gateway and the stack behind it, and how many of them a rate of questions needs."""
