/** The bodies of the API by name, as openapi.yaml has them: `web/build.sh check` writes openapi.d.ts from it. */

import type { components } from "./openapi";

export type Schemas = components["schemas"];

export type Appointment = Schemas["Appointment"];
export type AppointmentPage = Schemas["AppointmentPage"];
export type Block = Schemas["Block"];
export type BlockPage = Schemas["BlockPage"];
export type Booking = Schemas["Booking"];
export type Calendar = Schemas["Calendar"];
export type CalendarPage = Schemas["CalendarPage"];
export type CalendarSettings = Schemas["CalendarSettings"];
export type Change = Schemas["Change"];
export type AppointmentHistory = Schemas["AppointmentHistory"];
export type Service = Schemas["Service"];
export type ServicePage = Schemas["ServicePage"];
export type Availability = Schemas["Availability"];
export type AvailableDays = Schemas["AvailableDays"];
export type Settings = Schemas["PageSettings"];
