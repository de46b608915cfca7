"""The function of answers by SMS: what people send back where two-way SMS is set up."""

from appointments.start import begin

begin()
