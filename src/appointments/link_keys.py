"""Links to appointments, and to book. They are stored nowhere: a key in KMS makes the MAC in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appointments.booking_links import link_in
from appointments.errors import BookingLinkUnknownError, LinkNotFoundError
from appointments.links import appointment_in, is_token_of, mac_message, token_of
from appointments.macs import mac

if TYPE_CHECKING:
    from appointments.booking_links import BookingLink
    from appointments.macs import Kms


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinkKeys:
    """Makes links and checks them. `base` is what comes before `/l/` in a link, such as `https://api.example.org`."""

    kms: Kms
    key_id: str
    base: str = ""

    def link_for(self, appointment_id: str) -> str:
        """The address by which its holder confirms, cancels or moves this appointment."""
        return f"{self.base.rstrip('/')}/l/{self.token_for(appointment_id)}"

    def token_for(self, appointment_id: str) -> str:
        """The last part of the appointment's link: the same each time."""
        return token_of(appointment_id, self._mac(appointment_id))

    def appointment_of(self, token: str) -> str:
        """The id of the appointment whose link this is. Raises LinkNotFoundError where it is nobody's."""
        appointment_id = appointment_in(token)
        if appointment_id is None or not is_token_of(appointment_id, self._mac(appointment_id), token):
            raise LinkNotFoundError
        return appointment_id

    def key_for(self, link: BookingLink) -> str:
        """The key by which its holder books the services of a booking link: the same each time."""
        return link.key(mac(self.kms, self.key_id, link.signed))

    def booking_link_of(self, key: str) -> BookingLink:
        """The booking link of a key, whether or not it has ended. Raises BookingLinkUnknownError if it is none."""
        link = link_in(key)
        if link is None or not link.has_key(mac(self.kms, self.key_id, link.signed), key):
            raise BookingLinkUnknownError
        return link

    def _mac(self, appointment_id: str) -> bytes:
        return mac(self.kms, self.key_id, mac_message(appointment_id))
