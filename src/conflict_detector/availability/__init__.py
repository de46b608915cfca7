"""What is free: `/availability`."""
