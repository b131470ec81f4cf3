"""GMFSS: feature matching and softmax splatting; GMFSS union also uses a picture from RIFE."""
