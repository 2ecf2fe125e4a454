"""What `scripts/fuzz` is made of: kinds of bad input, and a pool that survives them."""
