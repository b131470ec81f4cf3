"""The only package that builds pipelines and models."""
