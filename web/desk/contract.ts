/** Holds what the desk takes for granted to the contract, when types are checked. No page loads this file. */
import type { Interval } from "../shared/api";
import type { Schemas } from "../shared/types";
import type { Block, Calendar, HistoryEntry, Page, Service } from "./model";

export const available = (answer: Schemas["Availability"]): { available: Interval[] } => answer;
export const appointments = (page: Schemas["AppointmentPage"]): Page => page;
export const calendar = (one: Schemas["Calendar"]): Calendar => one;
export const block = (one: Schemas["Block"]): Block => one;
export const service = (one: Schemas["Service"]): Pick<Service, "serviceId"> => one;
export const history = (page: Schemas["AppointmentHistory"]): { history: Pick<HistoryEntry, "version" | "at" | "by" | "type">[] } => page;
