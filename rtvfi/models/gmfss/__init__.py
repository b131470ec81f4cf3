"""GMFSS: matched features and softmax splatting; with RIFE's picture as well, GMFSS union."""
