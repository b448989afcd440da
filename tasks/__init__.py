"""One thin Prefect task a step."""
