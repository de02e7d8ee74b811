"""The command ``mitk-rs``: one module a command, one table of exit codes, one place that prints errors."""
