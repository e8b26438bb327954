"""Servers that stand in for the world outside, as real processes or threads on real sockets."""
