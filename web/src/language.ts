/** The language that the page is in. */

export type Language = "ru" | "en";

const STORED = "language";

export const language: Language = localStorage.getItem(STORED) === "en" ? "en" : "ru";

/** On its way as soon as it is known to be wanted. */
export const english = language === "en" ? import("./texts-en") : null;

/** Change the language; the page starts anew in it. */
export function speak(chosen: Language): void {
  localStorage.setItem(STORED, chosen);
  location.reload();
}
