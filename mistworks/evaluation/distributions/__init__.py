"""Joint distributions that estimators are measured on, and none is trained on; suites are made of them."""
