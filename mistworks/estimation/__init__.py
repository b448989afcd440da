"""From a sample to an estimate: the estimator, its calibration, its folder, what is built on estimates."""
