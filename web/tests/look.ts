/**
 * One screen as it stands: nothing cut, nothing that axe finds, no raw key.
 * With SCREENSHOTS=1 a picture of each is left in screenshots/.
 */

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./stack";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export async function look(page: Page, name: string): Promise<void> {
  await expect(page.locator(".loading")).toHaveCount(0);
  await page.evaluate(() => document.fonts.ready);
  if (process.env.SCREENSHOTS) {
    const project = test.info().project.name;
    await page.screenshot({
      path: `screenshots/${project}/${name}.png`,
      fullPage: !(await page.getByRole("dialog").isVisible()),
    });
  }
  const cut = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect.soft(cut, `${name} is wider than the window`).toBeLessThanOrEqual(0);
  const raw = await page.locator("body").innerText();
  expect.soft(raw, `${name} shows a raw key`).not.toMatch(/\b[a-z]+_[a-z_]+\b|\{\w+\}|undefined/);
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`,
  );
  expect.soft(found, `axe at ${name}`).toEqual([]);
}
