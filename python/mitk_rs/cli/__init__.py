"""The command ``mitk-rs``: main.py names the module of each command, console.py the exit codes."""
