"""Services: what can be booked."""
