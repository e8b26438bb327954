"""A whole site for the tests of the page: the package in a server process of its own, the fake
model server, a network that fails on command, and what a person does in a tab.

A test module takes the fixtures with ``pytest_plugins = ["tests.browser.e2e.fixtures"]``.
"""
