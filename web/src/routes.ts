/** The screen of each address, and what those that are opened most read first. */

import type { ComponentType } from "react";
import { parse } from "regexparam";
import type { paths } from "./api/schema";

export type Fetch = () => Promise<{ default: ComponentType }>;

/** Screens that everybody may open. */
export const OPEN: Record<string, Fetch> = {
  "/": () => import("./screens/catalogue"),
  "/services/:service": () => import("./screens/service"),
  "/sign-in": () => import("./screens/sign-in"),
  "/register": () => import("./screens/register"),
  "/reset": () => import("./screens/reset"),
  "/help": () => import("./screens/help"),
  "/find-clinic": () => import("./screens/find-clinic"),
  "/verify": () => import("./screens/verify"),
  "/verify/:code": () => import("./screens/verify"),
};

/** Screens of whoever is signed in. */
export const CLOSED: Record<string, Fetch> = {
  "/desk/*?": () => import("./desk"),
  "/clinics": () => import("./screens/clinics"),
  "/consent": () => import("./screens/consent"),
  "/access": () => import("./screens/access"),
  "/cards/:card/journal": () => import("./screens/journal"),
  "/cards/:card/extract": () => import("./screens/order-extract"),
  "/cards/:card/trend/:code": () => import("./screens/trend"),
  "/cards/:card/:section": () => import("./screens/card"),
  "/cards/:card/:section/:record": () => import("./screens/record"),
  "/extracts": () => import("./screens/extracts"),
  "/notifications": () => import("./screens/notifications"),
  "/settings": () => import("./screens/settings"),
  "/settings/consents": () => import("./screens/consents"),
  "/settings/devices": () => import("./screens/devices"),
  "/settings/factors": () => import("./screens/factors"),
  "/settings/hidden": () => import("./screens/hidden"),
  "/settings/password": () => import("./screens/password"),
};

type Get = {
  [Path in keyof paths]: paths[Path] extends { get: object } ? Path : never;
}[keyof paths];

/** What is asked for ahead, as the screen asks it: the address gives what stands in braces. */
export const READS: Record<string, (Get | `${Get}?${string}`)[]> = {
  "/clinics": ["/v1/access", "/v1/cards?limit=100"],
  "/cards/:card_id/summary": ["/v1/cards/{card_id}/summary", "/v1/cards?limit=100"],
  "/cards/:card_id/visits": ["/v1/cards/{card_id}/visits", "/v1/cards?limit=100"],
  "/cards/:card_id/results": ["/v1/cards/{card_id}/results", "/v1/cards?limit=100"],
  "/cards/:card_id/prescriptions": [
    "/v1/cards/{card_id}/prescriptions?limit=100",
    "/v1/cards?limit=100",
  ],
};

/** What a table has for a path, with what the path names; routes match as wouter matches them. */
export function at<Of>(
  table: Record<string, Of>,
  path: string,
): [Of, Record<string, string>] | null {
  for (const [route, of] of Object.entries(table)) {
    const { keys, pattern } = parse(route);
    const [found, ...named] = pattern.exec(path) ?? [];
    if (found !== undefined) {
      return [of, Object.fromEntries(keys.map((key, index) => [key, named[index] ?? ""]))];
    }
  }
  return null;
}

const come = new Map<Fetch, ComponentType>();

/** Fetch a screen before it is shown. */
export async function bring(screen: Fetch): Promise<void> {
  come.set(screen, (await screen()).default);
}

/** A screen that has come, to be shown at once. */
export const brought = (screen: Fetch) => come.get(screen);
