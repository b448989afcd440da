"""Paths and URLs alike: where things lie, folders of files there, and who may write."""
