"""mbnas."""
