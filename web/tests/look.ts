/**
 * One screen as it stands: nothing cut, nothing that axe finds, no raw key, all of it called by name.
 * With SCREENSHOTS=1 a picture of each is left in screenshots/.
 */

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { heard } from "./heard";
import { expect, test } from "./stack";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// Words that do not fit into what holds them; what is for screen readers only is hidden on purpose.
const CLIPPED = `[...document.querySelectorAll("main *, header *, footer *, [role=dialog] *")]
  .filter((each) => getComputedStyle(each).overflowX !== "visible")
  .filter((each) => each.scrollWidth > each.clientWidth + 1)
  .filter((each) => each.clientWidth > 1 && !each.matches("input"))
  .map((each) => each.outerHTML.slice(0, 200))`;

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
  const clipped = await page.evaluate(CLIPPED);
  expect.soft(clipped, `${name} hides a part of its words`).toEqual([]);
  const raw = await page.locator("body").innerText();
  expect.soft(raw, `${name} shows a raw key`).not.toMatch(/\b[a-z]+_[a-z_]+\b|\{\w+\}|undefined/);
  await heard(page, name);
  const axe = new AxeBuilder({ page }).withTags(RULES);
  // Colours that the person chose are theirs; axe judges those of the page, which are not shown.
  if (await page.evaluate(() => matchMedia("(forced-colors: active)").matches)) {
    axe.disableRules("color-contrast");
  }
  const { violations } = await axe.analyze();
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`,
  );
  expect.soft(found, `axe at ${name}`).toEqual([]);
}
