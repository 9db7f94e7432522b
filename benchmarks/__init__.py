"""What buntime costs beside its peers, everything side by side in one run: ``python -m benchmarks``."""
