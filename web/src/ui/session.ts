import { useSyncExternalStore } from "react";
import { currentSession, onSession, type Session } from "../api/session";

/** Who is signed in, as of now. */
export function useSession(): Session {
  return useSyncExternalStore(onSession, currentSession);
}
