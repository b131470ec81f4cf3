"""GIMM-VFI R: models motion as a continuous function of time and interpolates along it."""
