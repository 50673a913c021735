"""Pooling, unpooling and interpolation of images and signals."""
