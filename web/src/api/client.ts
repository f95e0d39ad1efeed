/** The API, typed by docs/openapi.json: `api.useQuery("get", "/v1/cards")`, `client.POST(…)`. */

import { QueryClient } from "@tanstack/react-query";
import createFetchClient from "openapi-fetch";
import createClient from "openapi-react-query";
import { problemOf } from "./problem";
import type { components, paths } from "./schema";
import { send } from "./send";

export type Schemas = components["schemas"];

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
