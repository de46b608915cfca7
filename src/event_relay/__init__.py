"""The event relay: tells others what was committed."""

from appointments.start import begin

begin()
