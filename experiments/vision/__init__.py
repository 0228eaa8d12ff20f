"""Seeing: what is in pictures and clips, where it is and how far, and what networks look at."""
