"""Networks that are told how far everything has gone: their training, data and measure."""
