"""What it is made of: the components of a ternary matrix engine, one a file, each with its latency and throughput."""
