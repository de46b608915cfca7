"""The history of appointments: `/appointments/{appointmentId}/history`."""
