"""Permutations that keep what a null hypothesis keeps: within strata of a condition, or along time."""
