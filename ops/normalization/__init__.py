"""Batch, group, instance, layer and RMS normalization."""
