"""What runs, in what order, and the command line."""
