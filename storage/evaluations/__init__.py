"""Results and costs of estimators, and the lookup of suites and estimators by name."""
