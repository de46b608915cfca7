/** The contact that a visitor writes: what is sent, and which sentence stands at which field. */

import type { Fault } from "../shared/api";
import type { Contact } from "./visits";
import type { Words } from "./words";

export interface Values {
  name: string;
  email: string;
  phone: string;
}

export type Field = keyof Values;
export const FIELDS: readonly Field[] = ["name", "email", "phone"];
export const EMPTY: Values = { name: "", email: "", phone: "" };

export type Faults = Partial<Record<Field, keyof Words>>;

/** What can be told before anything is sent. The API has the last word. */
export function faultsOf({ name, email, phone }: Values): Faults {
  const faults: Faults = {};
  if (!name.trim()) faults.name = "noName";
  if (!email.trim() && !phone.trim()) faults.email = "neither";
  else if (email.trim() && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email.trim())) faults.email = "badEmail";
  if (phone.trim() && !/^(\+|00)[\d\s()./-]{5,}$/.test(phone.trim())) faults.phone = "badPhone";
  return faults;
}

const AT: Record<string, [Field, keyof Words]> = {
  "contact.name": ["name", "badName"],
  "contact.email": ["email", "badEmail"],
  "contact.phone": ["phone", "badPhone"],
  contact: ["email", "neither"],
};

/** What the API found wrong; nothing where it is about no field of the form. */
export function faultsIn(errors: readonly Fault[] = []): Faults {
  return Object.fromEntries(errors.flatMap(({ field }) => (AT[field] ? [AT[field]] : [])));
}

export function contactOf({ name, email, phone }: Values, locale: string, timeZone: string): Contact {
  const written = { email: email.trim(), phone: phone.trim().replace(/^00/, "+") };
  return {
    name: name.trim().replace(/\s+/g, " "),
    ...(written.email ? { email: written.email } : {}),
    ...(written.phone ? { phone: written.phone } : {}),
    locale,
    timeZone,
  };
}
