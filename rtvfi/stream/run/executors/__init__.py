"""Executors, which carry out planned actions: the contract, one for tensors, one for payloads."""
