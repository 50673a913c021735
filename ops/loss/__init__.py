"""Softmax and the losses."""
