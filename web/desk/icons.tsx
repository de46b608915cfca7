/** Small pictures that tell states apart without colour. Words stand beside them, so they are hidden from screen readers. */
import type { Icon as Name } from "./states";

const PATHS: Record<Name | "undo" | "print" | "find" | "plus" | "back" | "forth" | "close" | "confirmed", string> = {
  scheduled: "M8 3.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z",
  held: "M4 2h8M4 14h8M5 2v3l3 3 3-3V2M5 14v-3l3-3 3 3v3",
  requested: "M5 5.5a3 3 0 1 1 4.5 2.6C8.400 8.800 8 9.400 8 10.500M8 13v.6",
  arrived: "m2.500 8.500 4 4 7-8.500",
  completed: "m1 9 3.500 3.500L10 5.500M8 12l.500.500L15 5",
  no_show: "m3.500 3.500 9 9m0-9-9 9",
  blocked: "M4 7h8v6.500H4zM5.500 7V5a2.500 2.500 0 0 1 5 0v2",
  ended: "M3 8h10",
  undo: "M6 3 2.500 6.500 6 10M3 6.500h6.500a3.500 3.500 0 0 1 0 7H6",
  print: "M4 6V2h8v4M4 11H2V6h12v5h-2M4 9.500h8V14H4z",
  find: "M7 2.500a4.500 4.500 0 1 1 0 9 4.500 4.500 0 0 1 0-9zm3.300 7.800L14 14",
  plus: "M8 2.500v11M2.500 8h11",
  back: "m10 3-5 5 5 5",
  forth: "m6 3 5 5-5 5",
  close: "m3.500 3.500 9 9m0-9-9 9",
  confirmed: "M2 8.500 6 12l8-8",
};

export function Icon({ name }: { name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" data-icon={name}>
      <path d={PATHS[name]} />
    </svg>
  );
}
