"""Beside a study: audits, baselines, confirming, timing again, simulations. By the file."""
