"""Datasets with known mutual information: what they are drawn from, split by split, and how they are made."""
