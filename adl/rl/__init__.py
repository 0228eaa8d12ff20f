"""Reinforcement learning: agents that move on what their own actions bring about."""
