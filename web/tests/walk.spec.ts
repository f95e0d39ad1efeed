/**
 * A patient's way through the portal as whoever hears it meets it; in the projects walk-*, as
 * whoever enlarges its text or chose other colours, with every screen looked at.
 */

import type { Page } from "@playwright/test";
import { heard } from "./heard";
import { look } from "./look";
import { account, enter, expect, test } from "./stack";

/** The page that a link led to: its heading has the focus, so that reading begins there. */
async function arrived(page: Page, name: string): Promise<void> {
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await expect(page.locator(".loading")).toHaveCount(0);
  await heard(page, name);
  if (test.info().project.name.startsWith("walk-")) await look(page, name);
}

test("the way of a guest to the sign-in and its refusal", async ({ page, t }) => {
  await page.goto("/");
  await page.locator('a[href="/services/electronic-medical-card"]').click();
  await page.getByRole("link", { name: t("service.get") }).waitFor();
  await arrived(page, "walk-01-service");
  await page.getByRole("link", { name: t("service.get") }).click();
  await arrived(page, "walk-02-sign-in");
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  // What is missing is said at the field, which has the focus.
  const login = page.getByLabel(t("sign_in.login"));
  await expect(login).toBeFocused();
  await expect(login).toHaveAccessibleDescription(t("field.missing"));
  await expect(page.getByRole("status").filter({ hasText: t("field.check") })).toHaveCount(1);
  await login.pressSequentially("+7 900 000-99-96"); // and keeps it while one field is mended
  await expect(login).toHaveValue("+7 900 000-99-96");
  await page.getByLabel(t("sign_in.password")).fill("not the password at all");
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await expect(page.getByRole("alert")).not.toBeEmpty();
  await heard(page, "walk-03-refused");
});

test("the way of a patient through the card", async ({ page, t }) => {
  await enter(page, await account(page, "open card, rich"), "/clinics");
  await page.locator("a.panel").first().waitFor();
  await heard(page, "walk-10-clinics");
  await page.locator("a.panel").first().click();
  await page.getByRole("heading", { name: t("summary.allergies") }).waitFor();
  await arrived(page, "walk-11-summary");
  const tabs = page.getByRole("navigation", { name: t("card.sections") });
  await tabs.getByRole("link", { name: t("card.visits") }).click();
  await page.locator("article").first().waitFor();
  await arrived(page, "walk-12-visits");
  await tabs.getByRole("link", { name: t("card.results") }).click();
  const unusual = page.locator("article", { has: page.locator(".flag-warning") }).first();
  await unusual.waitFor();
  await arrived(page, "walk-13-results");
  await unusual.locator("h3 a").click();
  await page.getByRole("heading", { name: t("record.origin") }).waitFor();
  await arrived(page, "walk-14-result");
  // A value is heard with what it means: the colour and the bar only repeat it.
  const flagged = page.locator(".observation", { has: page.locator(".flag-warning") }).first();
  const { label, flag } = await flagged.evaluate((each) => ({
    label: each.querySelector(".label")?.textContent ?? "",
    flag: each.querySelector(".flag")?.textContent ?? "",
  }));
  await expect(flagged).toMatchAriaSnapshot(`
    - listitem:
      - paragraph: ${JSON.stringify(label)}
      - paragraph: /\\d.*${flag}/
  `);
  await page
    .getByRole("link", { name: t("results.trend") })
    .first()
    .click();
  await page.locator("table").first().waitFor();
  await arrived(page, "walk-15-trend");
  await expect(page.getByRole("img")).not.toHaveAccessibleName("");
  await page.goBack();
  await page.goBack();
  await tabs.getByRole("link", { name: t("card.prescriptions") }).click();
  await page.locator("article").first().waitFor();
  await arrived(page, "walk-16-prescriptions");
  await page.getByRole("link", { name: t("card.extract") }).click();
  await page.getByRole("button", { name: t("extract.submit") }).waitFor();
  await arrived(page, "walk-17-order-extract");
  await page.goBack();
  await page.getByRole("link", { name: t("card.journal") }).click();
  const contest = page.getByRole("button", { name: t("contest.open") }).first();
  await contest.waitFor();
  await arrived(page, "walk-18-journal");
  await contest.click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: t("contest.submit") }).waitFor();
  await heard(page, "walk-19-contest");
  await expect(dialog.locator(":focus")).toHaveCount(1);
  await page.keyboard.press("Escape");
  await expect(contest).toBeFocused(); // back where the dialog was opened
  const menu = page.getByRole("navigation", { name: t("nav.main") });
  await menu.getByRole("link", { name: t("nav.settings") }).click();
  await page.getByRole("link", { name: t("settings.factors.lead") }).waitFor();
  await arrived(page, "walk-20-settings");
  await page.getByRole("link", { name: t("settings.factors.lead") }).click();
  await page.getByRole("heading", { name: t("factors.passkeys") }).waitFor();
  await arrived(page, "walk-21-factors");
});

test("the bar of a value says what the words say", async ({ page, t }) => {
  await enter(page, await account(page, "open card, rich"), "/clinics");
  await page.locator("a.panel").first().click();
  await page.getByRole("link", { name: t("card.results"), exact: true }).click();
  await page.getByRole("link", { name: "Липидный профиль" }).first().click();
  await page.getByRole("heading", { name: t("record.origin") }).waitFor();
  const bars = await page
    .locator(".observation", { has: page.locator(".range") })
    .evaluateAll((all) =>
      all.map((each) => {
        const of = (part: string, name: string) =>
          Number(each.querySelector(`.range-${part}`)?.getAttribute(name));
        const [left, right] = [of("normal", "x"), of("normal", "x") + of("normal", "width")];
        const here = of("value", "cx");
        return {
          text: each.textContent ?? "",
          normal: left <= here && here <= right,
          flagged: each.querySelector(".flag-warning") !== null,
          open: left === 0 ? "below" : right === of("all", "width") ? "above" : "",
        };
      }),
    );
  const words = (key: "range.to" | "range.from") => t(key).split(/\s*\{/)[0] ?? "";
  expect(new Set(bars.map((bar) => bar.open))).toEqual(new Set(["below", "above"]));
  for (const bar of bars) {
    expect(bar.normal, bar.text).toBe(!bar.flagged);
    expect(bar.text).toContain(words(bar.open === "below" ? "range.to" : "range.from"));
  }
});

test("what turns stands still for whoever asks for less motion", async ({ page }) => {
  // The answer is kept back, not made up: so that the waiting is there to be seen.
  let go = () => {};
  const seen = new Promise<void>((done) => {
    go = done;
  });
  await page.route("**/v1/services?*", async (route) => {
    await seen;
    await route.continue();
  });
  // One spinner takes another's place while scripts come, so it is asked until it answers.
  const turns = (times: string) =>
    expect(page.locator(".spinner")).toHaveCSS("animation-iteration-count", times);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await page.goto("/");
  await turns("infinite");
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/");
  await turns("1");
  go();
  await page.locator('a[href^="/services/"]').first().waitFor();
});
