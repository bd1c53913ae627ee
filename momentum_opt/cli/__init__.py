"""The command line: one file per command, the heavy parts imported inside the command."""
