/** What people read: `t` finds a sentence in the chosen language, the rest writes dates and numbers. */

import ruLabels from "../../functions/kernel/texts/ru.json";
import { english, language } from "./language";
import ruTexts from "./texts/ru.json";

const ru = { ...ruLabels, ...ruTexts };
export type TextKey = keyof typeof ru;
type Texts = Record<TextKey, string>;
type PluralKey = TextKey extends infer Key
  ? Key extends `${infer Base}.many`
    ? Base
    : never
  : never;

let texts: Texts = ru;

/** Take the texts of the chosen language; Russian comes with the script. */
export async function loadTexts(): Promise<void> {
  if (english) texts = (await english).texts;
  document.documentElement.lang = language;
}

/** The text of a key, with {values} put in. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  return fill(texts[key], values);
}

/** A text with {values} put in. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

const plurals = new Intl.PluralRules(language);

/** The text for a number of things: `key.one`, `key.few`, `key.many`, `key.other`. */
export function counted(key: PluralKey, count: number): string {
  return t(`${key}.${plurals.select(count)}` as TextKey, { count: number(count) });
}

/** The text of a key made from data, or the fallback when there is none for it. */
export function maybe(key: string, fallback: string): string {
  return key in texts ? t(key as TextKey) : fallback;
}

const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
const dates = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" });
const shortDates = new Intl.DateTimeFormat(language, { dateStyle: "short", timeZone: "UTC" });
const moments = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" });

export const number = (value: number) => numbers.format(value);
/** A calendar day, which has no time zone. */
export const date = (day: string) => dates.format(new Date(day.slice(0, 10)));
export const shortDate = (day: string) => shortDates.format(new Date(day.slice(0, 10)));
/** A moment, in the time zone of whoever reads. */
export const moment = (at: string) => moments.format(new Date(at));

/** A phone number in the groups in which people read it, on one line. */
export function phone(given: string): string {
  const written = given.replace(/^\+7(\d{3})(\d{3})(\d{2})(\d{2})$/, "+7 $1 $2-$3-$4");
  return written.replaceAll(" ", "\u00a0");
}

/** A wait in words: seconds below a minute and a half, else minutes. */
export function duration(seconds: number): string {
  const minutes = Math.ceil(seconds / 60);
  return seconds < 90 ? counted("time.seconds", seconds) : counted("time.minutes", minutes);
}
