/** What workers read; fetched with the desk, so that patients do not wait for it. */

import { language } from "../language";
import { fill } from "../texts";
import ru from "./texts/ru.json";

export type DeskKey = keyof typeof ru;

const texts: Record<DeskKey, string> =
  language === "en" ? (await import("./texts/en.json")).default : ru;

/** The text of a key, with {values} put in. */
export function d(key: DeskKey, values: Record<string, string | number> = {}): string {
  return fill(texts[key], values);
}

/** The text of a key made from data, or null when there is none for it. */
export function dMaybe(key: string): string | null {
  return key in texts ? texts[key as DeskKey] : null;
}
