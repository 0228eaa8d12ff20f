"""What a network does not know: deep ensembles, calibration, digits that turn."""
