"""Choosing points: samplers for any Optuna study, and what they are made of."""
