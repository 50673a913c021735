"""Reductions, scans and order: from many elements to few."""
