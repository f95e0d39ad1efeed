/** One call of the API, as whoever is signed in. */

import { language } from "../language";
import { Problem } from "./problem";
import { accessToken, forget, refresh } from "./session";
import { confirmIdentity } from "./step-up";

/** Answers that were asked for before the screen was there that reads them. */
const ahead = new Map<string, Promise<Response>>();

/** Ask for what a screen will read; whoever reads it first takes this answer, once. */
export function askAhead(path: string): void {
  const request = new Request(path);
  const answer = call(request);
  answer.catch(() => undefined); // said by the screen
  ahead.set(request.url, answer);
}

/** Nobody takes what was asked for somebody else. */
export function forgetAhead(): void {
  ahead.clear();
}

/** Call the API; throws a Problem for all that is no success. */
export function send(request: Request): Promise<Response> {
  const answer = request.method === "GET" ? ahead.get(request.url) : undefined;
  ahead.delete(request.url);
  return answer ?? call(request);
}

async function call(request: Request): Promise<Response> {
  const token = await accessToken();
  const response = await once(request.clone(), token);
  if (response.ok) return response;
  const problem = await Problem.of(response);
  if (token && (problem.code === "token_expired" || problem.code === "unauthenticated")) {
    const renewed = await refresh(token);
    if (renewed) return succeeded(await once(request, renewed));
  }
  if (problem.code === "session_revoked") forget(true);
  if (problem.code === "step_up_required" && (await confirmIdentity())) {
    return succeeded(await once(request, await accessToken()));
  }
  throw problem;
}

async function once(request: Request, token: string | null): Promise<Response> {
  request.headers.set("Accept-Language", language);
  request.headers.set("X-Client", "web");
  if (token) request.headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch {
    throw Problem.offline();
  }
}

async function succeeded(response: Response): Promise<Response> {
  if (!response.ok) throw await Problem.of(response);
  return response;
}
