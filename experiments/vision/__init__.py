"""Seeing: where things are in pictures, what they are, and how they move."""
