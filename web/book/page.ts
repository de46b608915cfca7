/** What every part of the page knows. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Visits } from "./visits";
import { type Language, say, type Words, WORDS } from "./words";
import { Dates } from "./dates";

export class Page {
  readonly words: Words;
  readonly dates: Dates;

  constructor(
    readonly visits: Visits,
    readonly language: Language,
    readonly locale: string,
    /** The visitor's. */
    readonly zone: string,
    /** Whether another site shows the page in a frame. */
    readonly framed: boolean,
    /** The name of the clinic, or nothing. */
    readonly clinic: string,
  ) {
    this.words = WORDS[language];
    this.dates = new Dates(locale);
  }

  /** What a tab of the browser is called. */
  titled = (title: string): string => (this.clinic ? `${title} – ${this.clinic}` : title);

  say = (name: keyof Words, values?: Record<string, string>): string => say(this.words[name], values);
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error("there is no page around this");
  return page;
}
