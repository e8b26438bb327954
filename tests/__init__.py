"""The tests: a file per module, real servers, no mocks of our own code."""
