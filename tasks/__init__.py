"""Steps: what runs on Dask workers, and tasks of the flow's own process."""
