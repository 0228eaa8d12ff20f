"""What a result is judged by, and the probes made of it: pure functions, each against an oracle."""
