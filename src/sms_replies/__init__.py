"""What people answer to an SMS, where two-way SMS is set up."""
