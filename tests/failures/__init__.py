"""Failures of everything that a run depends on, each provoked with real processes.

`python -m tests.failures` provokes them all and writes docs/reliability.md from what the tests saw.
"""
