"""The reminder sweep: what no timer did, every five minutes."""

from appointments.start import begin

begin()
