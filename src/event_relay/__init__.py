"""The event relay: tells others what was committed."""
