"""Generated drawings: scenes for training and measuring, and the demo film."""
