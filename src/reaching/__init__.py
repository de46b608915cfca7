"""How people are reached: email and SMS, whom they go to, and what comes back. Reminders and notices share it."""
