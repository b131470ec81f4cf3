"""Actions carried out: the contract, and two executors, on tensors and on payloads."""
