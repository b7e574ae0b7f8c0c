"""MNIST: downloaded, verified, and given out in batches."""
