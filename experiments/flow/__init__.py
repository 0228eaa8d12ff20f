"""Flows: densities of the plane and of digits, exact by invertible networks."""
