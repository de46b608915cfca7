"""Commands for whoever runs a deployed stack: on AWS, or on the embedded engine of `make run`."""
