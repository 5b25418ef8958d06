"""What the programs around a repository read in their settings, and people in README.md."""
