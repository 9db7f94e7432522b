"""Compare the cost of buntime with its peers: ``python -m benchmarks``."""
