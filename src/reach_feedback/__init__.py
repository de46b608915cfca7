"""The feedback function: what SES tells of email that was sent."""

from appointments.start import begin

begin()
