"""Learning from labels: perceptrons and residual networks that read digits."""
