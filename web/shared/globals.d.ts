/** The version that was built, as `/desk/settings` answers it. */
declare const __VERSION__: string;

declare module "*.css";

/** `@event-calendar/build` has no types. The build makes a module of it, whose default is its global object. */
declare module "@event-calendar/build" {
  export interface Calendar {
    setOption(name: string, value: unknown): Calendar;
    getOption(name: string): unknown;
    getEvents(): unknown[];
    refetchEvents(): Calendar;
    updateEvent(event: unknown): Calendar;
    removeEventById(id: string): Calendar;
    dateFromPoint(x: number, y: number): { date: Date; allDay: boolean; resource?: { id: string } } | null;
    unselect(): Calendar;
    next(): Calendar;
    prev(): Calendar;
  }
  const EventCalendar: {
    create(target: HTMLElement, options: Record<string, unknown>): Calendar;
    destroy(calendar: Calendar): void;
  };
  export default EventCalendar;
}
