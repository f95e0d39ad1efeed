/** The API, typed by docs/openapi.json: `api.useQuery("get", "/v1/cards")`, `client.POST(…)`. */

import { QueryClient } from "@tanstack/react-query";
import createFetchClient from "openapi-fetch";
import createClient from "openapi-react-query";
import { language } from "../texts";
import { Problem, problemOf } from "./problem";
import type { components, paths } from "./schema";
import { accessToken, forget, refresh } from "./session";
import { confirmIdentity } from "./step-up";

export type Schemas = components["schemas"];

/** Call the API as whoever is signed in; throws a Problem for all that is no success. */
async function send(request: Request): Promise<Response> {
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

export const client = createFetchClient<paths, "application/json">({ fetch: send });
export const api = createClient(client);

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      // The page itself says that there is no network, and offers to try again.
      networkMode: "always",
      refetchOnWindowFocus: false,
      retry: (failures, error) => problemOf(error).status === 503 && failures < 2,
    },
    mutations: { networkMode: "always" },
  },
});
