"""Languages that stand in files, as far as a rule needs them."""
