"""What it costs, as ratios of things that were measured in turns in one run: `make bench`."""
