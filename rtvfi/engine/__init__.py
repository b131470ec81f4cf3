"""The only place that builds pipelines and models."""
