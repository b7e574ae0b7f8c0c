"""Grading a class of submissions: jobs, result folders, summary tables, and a Dask cluster."""
