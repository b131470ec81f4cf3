"""Rendering on several machines: segments of films as tasks of a Dask cluster."""
