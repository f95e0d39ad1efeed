/** Why a card is opened, and until when an emergency lasts: for this visit, in memory only. */

import { useSyncExternalStore } from "react";
import type { Schemas } from "../api/client";

export const PURPOSES = ["treatment", "laboratory", "administration"] as const;
export type Purpose = (typeof PURPOSES)[number];

let purpose: Purpose = "treatment";
const listeners = new Set<() => void>();

/** What the journal of the card will say of this reading. */
export function usePurpose(): Purpose {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    () => purpose,
  );
}

export function setPurpose(chosen: Purpose): void {
  purpose = chosen;
  for (const listener of listeners) listener();
}

/** The header of every call about a card. */
export const because = (why: Purpose) => ({ "X-Purpose": why });

const emergencies = new Map<string, string>();

export function noteEmergency({ cards, until }: Schemas["OpenedInEmergency"]): void {
  for (const { card_id } of cards) emergencies.set(card_id, until);
}

/** When the emergency access to a card ends, if it was opened so and has not ended. */
export function emergencyUntil(card: string): string | null {
  const until = emergencies.get(card);
  return until && Date.parse(until) > Date.now() ? until : null;
}
