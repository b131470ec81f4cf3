"""The command line: grammar, help, exit codes."""
