/** What each state looks like and what can be done in it. The server decides whether it may be. */
import type { Appointment, Status } from "./model";
import { moment } from "./model";

export type Icon = "held" | "requested" | "scheduled" | "arrived" | "completed" | "no_show" | "blocked" | "ended";

export interface Look {
  label: string;
  /** Where there is little room beside the icon. */
  short?: string;
  icon: Icon;
  /** One sentence for the key. */
  meaning: string;
}

export const LOOKS: Record<Status, Look> = {
  held: { label: "Held", icon: "held", meaning: "Kept for a few minutes, until it is confirmed." },
  requested: { label: "Requested", short: "Asked", icon: "requested", meaning: "Waits until it is approved or declined." },
  scheduled: { label: "Booked", icon: "scheduled", meaning: "Will take place." },
  arrived: { label: "Arrived", icon: "arrived", meaning: "The person is here." },
  completed: { label: "Completed", short: "Done", icon: "completed", meaning: "It is over." },
  no_show: { label: "No-show", short: "Missed", icon: "no_show", meaning: "The person did not come." },
  cancelled: { label: "Cancelled", icon: "ended", meaning: "It takes no time any more." },
  declined: { label: "Declined", icon: "ended", meaning: "The request was refused." },
  expired: { label: "Expired", icon: "ended", meaning: "Nobody confirmed it in time." },
};
/** Those that the grid can show. */
export const SHOWN: Status[] = ["scheduled", "arrived", "completed", "no_show", "held", "requested"];

export const lookOf = (status: string): Look =>
  (LOOKS as Partial<Record<string, Look>>)[status] ?? { label: status, icon: "scheduled", meaning: "" };

export interface Action {
  status: Status;
  label: string;
  kind: "primary" | "plain" | "danger";
  /** Asked before it is done, where it cannot be taken back. */
  sure?: string;
}

/** What can be said of an appointment, the likeliest first. Completed and no-show are for what has begun. */
export function actionsOf(appointment: Pick<Appointment, "status" | "startTime">, now: number): Action[] {
  const begun = moment(appointment.startTime) <= now;
  const cancel: Action = {
    status: "cancelled",
    label: "Cancel appointment",
    kind: "danger",
    sure: "Its time is free again at once, and it cannot be brought back.",
  };
  const back: Action = { status: "scheduled", label: "Back to booked", kind: "plain" };
  const arrived: Action = { status: "arrived", label: "Arrived", kind: "primary" };
  const completed: Action = { status: "completed", label: "Completed", kind: "plain" };
  switch (appointment.status) {
    case "held":
      return [{ status: "scheduled", label: "Confirm hold", kind: "primary" }, { ...cancel, label: "Release hold" }];
    case "requested":
      return [
        { status: "scheduled", label: "Approve", kind: "primary" },
        { status: "declined", label: "Decline", kind: "danger", sure: "The person is told, and the time is free again." },
        cancel,
      ];
    case "scheduled": {
      const noShow: Action = { status: "no_show", label: "No-show", kind: "plain" };
      return [arrived, ...(begun ? [completed, noShow] : []), cancel];
    }
    case "arrived":
      return [...(begun ? [{ ...completed, kind: "primary" as const }] : []), back, cancel];
    case "completed":
      return [{ ...arrived, label: "Back to arrived", kind: "plain" }, back];
    case "no_show":
      return [{ ...arrived, label: "Arrived after all", kind: "plain" }, back];
    default:
      return [];
  }
}

/** What may become of a status again, by the table of the server: who noted the wrong one takes it back. */
const BACK: Partial<Record<Status, Status[]>> = {
  scheduled: ["arrived", "completed", "no_show"],
  arrived: ["scheduled", "completed", "no_show"],
  completed: ["arrived", "scheduled"],
  no_show: ["arrived", "scheduled"],
};
export const canTurnBack = (before: Status, after: Status): boolean => BACK[after]?.includes(before) ?? false;

/** Whether its time may still be changed: by the table of the server, what has ended may not. */
export const isLive = (status: Status): boolean => SHOWN.includes(status);
/** Whether it is drawn so that it can be dragged: what is over stays where it was. */
export const isMovable = (appointment: Appointment): boolean =>
  ["held", "requested", "scheduled", "arrived"].includes(appointment.status) && !appointment.sessionId;
/** A service decides how long it takes. */
export const isResizable = (appointment: Appointment): boolean => isMovable(appointment) && !appointment.serviceId;

const HAPPENED: Record<string, string> = {
  held: "Held",
  requested: "Requested",
  booked: "Booked",
  approved: "Approved",
  declined: "Declined",
  expired: "Expired",
  moved: "Moved",
  changed: "Changed",
  confirmed: "The person confirmed",
  arrived: "Arrived",
  completed: "Completed",
  no_show: "Did not come",
  cancelled: "Cancelled",
};

/** Who did it, as a receptionist says it. Where nobody signs in, whoever asks is told apart from nobody. */
export function byWhom(by: string, type: string, signsIn: boolean): string {
  if (by === "link") return "by the person, through their link";
  if (by !== "system") return `by ${by}`;
  if (type.endsWith("expired")) return "by itself, as the time was over";
  return signsIn ? "automatically" : "by the desk";
}

/** What an entry of the history says happened. */
export const happened = (type: string): string => HAPPENED[type.replace(/^appointment\./, "")] ?? type;
