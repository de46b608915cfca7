/** What the page says, in eight languages, and which of them a visitor reads. */

import { de } from "./words/de";
import { en, type Words } from "./words/en";
import { es } from "./words/es";
import { fr } from "./words/fr";
import { it } from "./words/it";
import { nl } from "./words/nl";
import { pl } from "./words/pl";
import { pt } from "./words/pt";

export type { Words };

export const LANGUAGES = ["en", "de", "fr", "es", "pt", "it", "nl", "pl"] as const;
export type Language = (typeof LANGUAGES)[number];

export const WORDS: Record<Language, Words> = { en, de, fr, es, pt, it, nl, pl };

/** A phone number as people write it where the language is spoken most. */
export const PHONES: Record<Language, string> = {
  en: "+44 20 7946 0123",
  de: "+49 30 901820",
  fr: "+33 1 42 68 53 00",
  es: "+34 912 345 678",
  pt: "+351 212 345 678",
  it: "+39 06 1234 5678",
  nl: "+31 20 123 4567",
  pl: "+48 22 123 45 67",
};

/** A sentence with what is put into it. */
export function say(sentence: string, values: Record<string, string> = {}): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
}

export interface Spoken {
  language: Language;
  /** The same with the region of the browser, where it speaks this language: for dates, and for the contact. */
  locale: string;
}

/** The language that is asked for, else the first of the browser's that the page knows, else English. */
export function spoken(asked: string | null, preferred: readonly string[]): Spoken {
  const known = (tag: string): Language | undefined => LANGUAGES.find((one) => one === tag.toLowerCase().split(/[-_]/)[0]);
  const language = (asked && known(asked)) || preferred.map(known).find((one) => one) || "en";
  const tags = [...(asked ? [asked] : []), ...preferred].filter((tag) => known(tag) === language);
  const region = tags.map((tag) => /^[a-z]{2}[-_](?:[a-z]{4}[-_])?([a-z]{2})$/i.exec(tag)?.[1]).find((one) => one);
  return { language, locale: region ? `${language}-${region.toUpperCase()}` : language };
}
