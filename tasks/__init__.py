"""Steps of flows: work for Dask workers, and tasks in the flow's own process."""
