"""Datasets with known mutual information: meta-distributions, splits and generation."""
