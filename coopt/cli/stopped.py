"""What is said after Ctrl-C."""

STOPPED = "coopt: stopped. Nothing finished is lost: run the same command again to resume."
INTERRUPTED = 130
"""The exit code: a shell's for a command that Ctrl-C ended."""
