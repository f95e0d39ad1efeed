/** One screen as a screen reader tells it: from the browser's own accessibility tree. */

import type { Page } from "@playwright/test";
import { expect } from "./stack";

interface Node {
  ignored: boolean;
  role?: { value: string };
  name?: { value: string };
  properties?: { name: string; value: { value?: unknown } }[];
}

// What is worked with, shown or jumped to, and so must be called something.
const NAMED = new Set([
  "button",
  "checkbox",
  "combobox",
  "dialog",
  "image",
  "img",
  "link",
  "navigation",
  "option",
  "progressbar",
  "radio",
  "region",
  "searchbox",
  "table",
  "textbox",
]);

export async function heard(page: Page, name: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { nodes }: { nodes: Node[] } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const told = nodes
    .filter((node) => !node.ignored)
    .map(({ role, name: called, properties }) => ({
      role: role?.value ?? "",
      called: called?.value.trim() ?? "",
      level: properties?.find((each) => each.name === "level")?.value.value,
    }));
  const count = (role: string) => told.filter((each) => each.role === role).length;

  const nameless = told.filter(({ role, called }) => NAMED.has(role) && !called);
  expect.soft(nameless, `without a name at ${name}`).toEqual([]);
  if (count("dialog") > 0) {
    expect.soft(count("dialog"), `dialogs at ${name}`).toBe(1);
    expect.soft(count("main"), `${name}: what lies behind the dialog is not read`).toBe(0);
    return;
  }
  const titles = told.filter(({ role, level }) => role === "heading" && level === 1);
  expect.soft(titles.length, `first headings at ${name}`).toBe(1);
  for (const landmark of ["banner", "main", "contentinfo"]) {
    expect.soft(count(landmark), `${landmark} at ${name}`).toBe(1);
  }
  const ways = told.filter(({ role }) => role === "navigation").map(({ called }) => called);
  expect.soft(new Set(ways).size, `navigations called alike at ${name}`).toBe(ways.length);
  await expect(async () => {
    expect(await page.title()).toContain(await page.getByRole("heading", { level: 1 }).innerText());
  }, `the window's title at ${name}`).toPass({ timeout: 30_000 });
}
