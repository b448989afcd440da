"""Joint distributions for suites: estimators are evaluated on them and never trained on them."""
