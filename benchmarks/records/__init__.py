"""The cost of records: time and throughput of answers with and without them."""
