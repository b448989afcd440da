"""Results and costs of estimators, and how suites and estimators are found by their names."""
