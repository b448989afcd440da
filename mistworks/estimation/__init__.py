"""From a sample to an estimate: the estimator, its calibration and folder, and methods on estimates."""
