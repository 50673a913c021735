"""Convolutions and their gradients, closed under differentiation."""
