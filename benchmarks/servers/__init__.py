"""The servers that are measured, each started as a process: `python -m benchmarks.servers.ours`."""
