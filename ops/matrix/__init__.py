"""Products of vectors, matrices and batches, and Einstein sums."""
