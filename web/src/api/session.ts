/**
 * Who is signed in. The access token lives in memory only; the refresh token is a cookie that no
 * script can read. localStorage holds a hint that such a cookie may exist, and nothing else.
 */

import { Problem, problemOf } from "./problem";
import type { components } from "./schema";

type SignedIn = components["schemas"]["SignedIn"];
export type Account = SignedIn["account"];

export type Session =
  | { status: "unknown"; problem: Problem | null } // a cookie may exist, it was not asked yet
  | { status: "guest"; ended: boolean } // ended: it was a session, and is none any more
  | { status: "signed_in"; account: Account; advised: boolean };

const HINT = "signed_in";
const REPEAT = "refresh_key";
const EARLY = 20_000; // ms before the end of a token at which the next one is asked for

let session: Session = localStorage.getItem(HINT)
  ? { status: "unknown", problem: null }
  : { status: "guest", ended: false };
let token: { value: string; until: number } | null = null;
const listeners = new Set<() => void>();

export const currentSession = () => session;

export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function become(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

/** Take what a finished sign-in, refresh or step-up gave. */
export function adopt(given: SignedIn): void {
  token = { value: given.access_token, until: Date.now() + given.expires_in * 1000 - EARLY };
  localStorage.setItem(HINT, "1");
  become({
    status: "signed_in",
    account: given.account,
    advised: given.password_change_advised,
  });
}

/** Forget the session: it was ended here, elsewhere or by time. */
export function forget(ended: boolean): void {
  token = null;
  localStorage.removeItem(HINT);
  if (session.status !== "guest") become({ status: "guest", ended });
}

/** Find out whether the session of an earlier visit still lives. */
export async function restore(): Promise<void> {
  if (session.status !== "unknown") return;
  become({ status: "unknown", problem: null });
  try {
    await refresh(null);
  } catch (error) {
    become({ status: "unknown", problem: problemOf(error) });
  }
}

/** The token to call with, refreshed where it is about to end; null for a guest. */
export async function accessToken(): Promise<string | null> {
  if (token && Date.now() < token.until) return token.value;
  if (session.status === "guest") return null;
  return refresh(token?.value ?? null);
}

/**
 * Exchange the cookie for a new token, one tab at a time, since each refresh token serves once.
 * The key outlives a lost answer, so that asking again gets the same successor.
 *
 * @param stale the token that no longer serves; another call may have replaced it meanwhile
 */
export async function refresh(stale: string | null): Promise<string | null> {
  return navigator.locks.request("refresh", async () => {
    if (token && token.value !== stale) return token.value;
    const key = localStorage.getItem(REPEAT) ?? crypto.randomUUID();
    localStorage.setItem(REPEAT, key);
    const response = await fetch("/v1/auth/token", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Client": "web", "Idempotency-Key": key },
      body: JSON.stringify({ grant_type: "refresh_token" }),
    }).catch(() => {
      throw Problem.offline();
    });
    if (response.status === 503) throw await Problem.of(response);
    localStorage.removeItem(REPEAT);
    if (response.status === 401) {
      forget(true);
      return null;
    }
    if (!response.ok) throw await Problem.of(response);
    adopt(await response.json());
    return token?.value ?? null;
  });
}

// Signed out in another tab.
window.addEventListener("storage", (event) => {
  if (event.key === HINT && event.newValue === null) forget(false);
});
