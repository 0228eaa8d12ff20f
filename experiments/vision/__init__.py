"""Seeing: what networks make of pictures, and what becomes of it when somebody means ill."""
