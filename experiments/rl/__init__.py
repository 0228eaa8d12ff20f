"""Agents: PPO, with the world inside the compiled step."""
