"""Preparation: from a user's X and Y to the ranks of the columns and rows that carry information."""
