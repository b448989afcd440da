"""Where meta-datasets and models are kept: Zarr stores and the MLflow registry."""
