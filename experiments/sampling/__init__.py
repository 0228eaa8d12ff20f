"""Draws from densities known up to a constant: Hamiltonian chains and no-U-turns, tempering, annealing, particles."""
