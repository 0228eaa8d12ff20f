"""Agents: PPO with the world inside the compiled step, and AlphaZero with a game and its search."""
