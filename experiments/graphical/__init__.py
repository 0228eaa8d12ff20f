"""Graphical models: hidden Markov models, Kalman filters and smoothers, noisy pictures by messages."""
