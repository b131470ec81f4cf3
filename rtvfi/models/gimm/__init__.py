"""GIMM-VFI R: motion as a continuous function of time, and frames made along it."""
