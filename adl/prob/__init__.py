"""Truths about distributions that need neither parameters nor time: densities, divergences, two-sample tests."""
