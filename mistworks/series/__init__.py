"""Series of values over time: which of two drives the other, and with what delay."""
