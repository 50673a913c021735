"""Arithmetic and functions element by element, with broadcasting and type promotion."""
