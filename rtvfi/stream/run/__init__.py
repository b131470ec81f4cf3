"""The threads of a pipeline, and the execution of planned actions."""
