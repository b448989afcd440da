"""The command line: one file per group of commands. What all of them print and ask for lies beside them."""
