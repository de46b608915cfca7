// The README's story with the types that openapi-typescript makes of the contract: `node story.js URL PERSON`.
import createClient from "openapi-fetch";
import type { components, paths } from "./scheduler.js";

type Schemas = components["schemas"];

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

const [url = "", person = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url });
const doctor = `dr-${person}`;

const body: Schemas["Booking"] = {
  userId: person,
  startTime: "2030-01-17T09:00",
  endTime: "2030-01-17T09:30",
  timeZone: "America/New_York",
  resourceIds: [doctor],
  details: { title: "Check-up", location: "Room 4", price: 12.5 },
};
const header = { "Idempotency-Key": `key-${person}` };
const { data: booked } = await client.POST("/appointments", { body, params: { header } });
check(booked !== undefined, "booked");
check(booked.startTime === "2030-01-17T14:00:00Z", "in UTC");
check(booked.details.title?.length === 8 && booked.details["price"] === 12.5, "details");
const again = await client.POST("/appointments", { body, params: { header } });
check(again.data?.appointmentId === booked.appointmentId, "idempotent");

const { error: refused } = await client.POST("/appointments", { body });
check(refused !== undefined && "alternatives" in refused, "refused with alternatives");
const [free] = refused.alternatives;
check(free !== undefined, "an alternative");
// A time of an answer is sent back as it is.
const { data: second } = await client.POST("/appointments", { body: { userId: person, ...free } });
check(second !== undefined, "the alternative is free");

const path = { appointmentId: booked.appointmentId };
const moved = await client.PATCH("/appointments/{appointmentId}", {
  body: { startTime: "2030-01-17T15:00:00Z" },
  params: { path, header: { "If-Match": `"${booked.version}"` } },
});
check(moved.data?.endTime === "2030-01-17T15:30:00Z", "moved");

const query = { calendarIds: [person, doctor], from: "2030-01-17T14:00:00Z", to: "2030-01-17T16:00:00Z", durationMinutes: 30 };
const { data: slots } = await client.GET("/availability", { params: { query } });
check(slots !== undefined && slots.available.every((slot) => slot.startTime !== moved.data?.startTime), "availability");

const cancelled = await client.DELETE("/appointments/{appointmentId}", { params: { path } });
check(cancelled.data?.status === "cancelled", "cancelled");
const { error: final } = await client.PATCH("/appointments/{appointmentId}", { body: { endTime: booked.endTime }, params: { path } });
check(final !== undefined && final.title === "Appointment cancelled", "final");
check(final.type.endsWith("#appointment-cancelled"), "told apart by type");

const page = await client.GET("/appointments", { params: { query: { userId: person, status: "scheduled" } } });
check(page.data?.appointments.length === 1, "listed");
console.log("told");
