/** Some acts want a fresh second step: the client waits here while a dialog asks for it. */

type Waiting = { resolve: (done: boolean) => void };

let waiting: Waiting | null = null;
const listeners = new Set<() => void>();

export const awaited = () => waiting;

export function onAwaited(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Ask whoever is signed in to prove it again; false when they would not. */
export function confirmIdentity(): Promise<boolean> {
  return new Promise((resolve) => set({ resolve }));
}

/** Let the waiting call go on, or give it up. */
export function identityConfirmed(done: boolean): void {
  waiting?.resolve(done);
  set(null);
}

function set(next: Waiting | null): void {
  waiting = next;
  for (const listener of listeners) listener();
}
