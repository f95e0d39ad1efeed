/** From the catalogue to the extract and back to a withdrawn consent, as a patient walks it. */

import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { look } from "./look";
import { bundle, PASSWORD, registered, withCard } from "./people";
import {
  account,
  code,
  enter,
  expect,
  lastMessage,
  person,
  signedInApi,
  signIn,
  signOut,
  test,
} from "./stack";

test("from the catalogue to the extract, the journal and the withdrawal", async ({ page, t }) => {
  const who = await account(page, "consent_given fails");
  // What an earlier try that failed may have left.
  const asPatient = await signedInApi(page, who);
  for (const { consent_id, status } of (await asPatient("/v1/consents", undefined, "GET")).items) {
    if (status === "active") await asPatient(`/v1/consents/${consent_id}/withdraw`);
  }
  await page.goto("/");
  await page.locator('a[href="/services/electronic-medical-card"]').click();
  await page.getByRole("link", { name: t("service.get") }).click();
  await signIn(page, t, who);

  // The consent is all that is missing, so the way leads there by itself.
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(t("consent.title"));
  await page.getByRole("button", { name: t("consent.give") }).click();

  await page.locator('a.panel[href^="/cards/"]').first().click();
  await page.getByRole("heading", { name: t("summary.conditions") }).waitFor();
  for (const section of ["visits", "results", "prescriptions"] as const) {
    await page.getByRole("link", { name: t(`card.${section}`), exact: true }).click();
    await expect(page.locator("article").first()).toBeVisible();
  }

  // A reload keeps the session: the cookie gives the next token.
  await page.reload();
  await expect(page.locator("article").first()).toBeVisible();

  await page.getByRole("link", { name: t("card.extract") }).click();
  await page.getByLabel(t("extract.kind.summary")).check();
  await page.getByRole("button", { name: t("extract.submit") }).click();
  const newest = page.locator("article").first();
  const downloaded = page.waitForEvent("download", { timeout: 120_000 });
  await newest.getByRole("button", { name: t("extracts.download") }).click({ timeout: 90_000 });
  const file = await (await downloaded).path();
  const pdf = readFileSync(file);
  expect(pdf.subarray(0, 5).toString()).toBe("%PDF-");
  const printed = await newest.locator("code").innerText();

  // The check needs no session: the code, the file as it was issued, and the file with one byte more.
  await page.goto(`/verify/${printed}`);
  await expect(page.getByText(t("verify.valid"))).toBeVisible();
  const choose = page.locator('input[type="file"]');
  await choose.setInputFiles({ name: "extract.pdf", mimeType: "application/pdf", buffer: pdf });
  await expect(page.getByText(t("verify.valid"))).toHaveCount(2);
  const forged = Buffer.concat([pdf, Buffer.from("\n")]);
  await choose.setInputFiles({ name: "forged.pdf", mimeType: "application/pdf", buffer: forged });
  await expect(page.getByText(t("verify.forged"))).toBeVisible();

  await page.goto("/settings/consents");
  await page
    .getByRole("button", { name: t("consents.withdraw") })
    .first()
    .click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: t("consents.withdraw") }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("button", { name: t("consents.withdraw") })).toHaveCount(0);
  await page.goto("/clinics");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(t("consent.title"));
  await page.goto(`/verify/${printed}`);
  await expect(page.getByText(t("verify.revoked"))).toBeVisible();

  await signOut(page, t).click();
  await expect(page.getByRole("link", { name: t("nav.sign_in") })).toBeVisible();
  await page.goto("/settings");
  await expect(page.getByLabel(t("sign_in.login"))).toBeVisible();
});

test("an emergency shows in the journal and can be contested", async ({ page, t }) => {
  const note = "open card, small";
  const { snils, birth_date } = person(note);
  const asDoctor = await signedInApi(page, await account(page, "clinician of clinic 2"));
  const reason = `${t("journal.emergency")} ${Date.now()}`;
  await asDoctor("/v1/clinic/cards/emergency", { snils, birth_date, reason });

  await enter(page, await account(page, note), "/notifications");
  await page
    .getByRole("link", { name: t("journal.title") })
    .first()
    .click();
  const entry = page.locator("article", { hasText: reason });
  await expect(entry.locator(".flag")).toHaveText(t("journal.emergency"));
  await entry.getByRole("button", { name: t("contest.open") }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(t("contest.text")).fill(reason);
  await dialog.getByRole("button", { name: t("contest.submit") }).click();
  await expect(dialog.getByText(t("contest.yours"))).toBeVisible();
  await expect(dialog.getByText(reason)).toBeVisible();
});

const STEPS = [
  "account_verified",
  "region_connected",
  "clinic_connected",
  "attached",
  "card_activated",
  "consent_given",
];

for (const step of STEPS) {
  test(`a card that is closed by ${step} says what to do and whom to call`, async ({ page, t }) => {
    await enter(page, await account(page, `${step} fails`), "/access");
    const missing = page.locator(".step-missing").first();
    await expect(missing.locator(".notice-title")).toHaveText(t("access.remedy"));
    const steps = page.locator("section").first().locator(".step");
    expect(
      await steps.evaluateAll((all) => all.findIndex((one) => one.matches(".step-missing"))),
    ).toBe(STEPS.indexOf(step));
    await expect(
      missing.locator('a[href^="tel:"], a[href="/consent"], a[href="/find-clinic"]').first(),
    ).toBeVisible();
  });
}

test("the whole way to the card by keyboard", async ({ page, t }) => {
  const who = await account(page, "open card, small");
  await page.goto("/sign-in");
  await page.getByLabel(t("sign_in.login")).focus();
  await page.keyboard.type(who.login);
  await page.keyboard.press("Tab");
  await page.keyboard.type(who.password);
  const seen = await lastMessage(page, who.login);
  await page.keyboard.press("Enter");
  await expect(page.getByLabel(t("second.sms.label"))).toBeFocused();
  await page.keyboard.type(await code(page, who.login, seen));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: t("clinics.title") })).toBeFocused();
  await page.locator("a.panel").first().waitFor(); // the next stop, once the cards are read
  await page.keyboard.press("Tab");
  await expect(page.locator("a.panel").first()).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: /Основные данные|Main facts/ })).toBeFocused();
});

test("without a network the page says so and keeps what was entered", async ({
  page,
  context,
  t,
}) => {
  await page.goto("/sign-in");
  await page.getByLabel(t("sign_in.login")).fill("+7 900 000-99-97");
  await page.getByLabel(t("sign_in.password")).fill("not the password at all");
  await context.setOffline(true);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await expect(page.getByRole("alert")).toContainText(t("problem.offline.detail"));
  await expect(page.getByLabel(t("sign_in.login"))).toHaveValue("+7 900 000-99-97");
  await context.setOffline(false);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await expect(page.getByRole("alert")).not.toContainText(t("problem.offline.detail"));
});

test("too many text messages: the wait is counted down", async ({ page, t }) => {
  const who = await account(page, "attached fails");
  const seen = await lastMessage(page, who.login);
  await page.goto("/sign-in");
  await page.getByLabel(t("sign_in.login")).fill(who.login);
  await page.getByLabel(t("sign_in.password")).fill(who.password);
  const asked = page.waitForResponse(/\/send$/);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  // The same challenge asked for again at once, as by an impatient second window.
  const again = await page.request.post((await asked).url(), { data: { method: "sms" } });
  expect(again.status()).toBe(429);
  await expect(page.getByText(/\d+ (сек|sec)/)).toBeVisible();
  await code(page, who.login, seen); // no message is left on its way to the next test
});

test("a session that was ended elsewhere leads to the sign-in and back", async ({
  browser,
  page,
  t,
}) => {
  const who = await account(page, "region_connected fails");
  await page.goto("/settings");
  await signIn(page, t, who);
  await page.getByRole("link", { name: t("settings.devices.lead") }).waitFor();

  const elsewhere = await (await browser.newContext()).newPage();
  const { baseURL } = test.info().project.use;
  await elsewhere.addInitScript(
    (chosen) => localStorage.setItem("language", chosen),
    test.info().project.name.endsWith("-en") ? "en" : "ru",
  );
  await elsewhere.goto(`${baseURL}/settings/devices`);
  await signIn(elsewhere, t, who);
  await elsewhere.getByRole("button", { name: t("devices.end_others") }).click();
  await elsewhere
    .getByRole("dialog")
    .getByRole("button", { name: t("devices.end_others") })
    .click();
  await expect(elsewhere.getByRole("dialog")).toBeHidden();
  await elsewhere.close();

  await page.getByRole("link", { name: t("settings.devices.lead") }).click();
  await expect(page.getByText(t("sign_in.ended"), { exact: true })).toBeVisible();
  await signIn(page, t, who);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(t("settings.devices"));
});

test("what a patient hides is listed, and is shown again", async ({ page, t }) => {
  const registrar = await signedInApi(page, await account(page, "registrar of clinic 1"));
  const patient = await withCard(page, registrar);
  const asDoctor = await signedInApi(page, await account(page, "another clinician of clinic 1"));
  const card = `/v1/clinic/cards/${patient.card}`;
  await asDoctor(`${card}/fhir`, bundle(patient.card, 2));
  const seen = async () => (await asDoctor(`${card}/visits`, undefined, "GET")).items.length;
  expect(await seen()).toBe(2);

  await enter(page, { ...patient, login: patient.phone }, `/cards/${patient.card}/visits`);
  await page.locator("article h3 a").first().click();
  await page.getByRole("button", { name: t("hide.record"), exact: true }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: t("hide.record"), exact: true })
    .click();
  await expect(page.getByText(t("hide.hidden"), { exact: true })).toBeVisible();
  expect(await seen()).toBe(1);

  await page.goto("/settings");
  await page.getByRole("link", { name: t("settings.hidden.lead") }).click();
  const visits = page.getByRole("listitem").filter({
    has: page.getByRole("heading", { name: t("section.visits"), exact: true }),
  });
  await expect(visits.getByText(t("hide.state.seen"))).toBeVisible();
  await expect(visits.getByRole("list").getByRole("link")).toHaveCount(1);
  await visits.getByRole("button", { name: t("hide.section") }).click();
  await expect(visits.getByText(t("hide.state.all"), { exact: true })).toBeVisible();
  await look(page, "37-hidden");
  expect(await seen()).toBe(0);

  // A record of a hidden section says why showing it alone does not help.
  await page.goto(`/cards/${patient.card}/visits`);
  await page.locator("article h3 a").first().click();
  await page.getByRole("button", { name: t("hide.record.show") }).click();
  await expect(page.getByText(t("hide.still"), { exact: true })).toBeVisible();
  await page.getByRole("link", { name: t("settings.hidden") }).click();
  await visits.getByRole("button", { name: t("hide.section.show") }).click();
  await expect(visits.getByText(t("hide.state.seen"))).toBeVisible();
  await expect.poll(seen).toBe(2);
});

test("a passkey is made, and signs in", async ({ page, t }) => {
  const devices = await page.context().newCDPSession(page);
  await devices.send("WebAuthn.enable");
  await devices.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const who = { login: await registered(page), password: PASSWORD };
  await enter(page, who, "/settings/factors");
  await page.getByRole("button", { name: t("factors.passkeys.add") }).click();
  await expect(page.getByRole("button", { name: t("factors.passkeys.remove") })).toBeVisible();
  await signOut(page, t).click();
  await page.getByRole("link", { name: t("nav.sign_in") }).click();
  await page.getByLabel(t("sign_in.login")).fill(who.login);
  await page.getByLabel(t("sign_in.password")).fill(who.password);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await page.getByRole("button", { name: t("second.passkey.choose") }).click();
  await page.getByRole("button", { name: t("second.passkey.submit") }).click();
  await expect(signOut(page, t)).toBeVisible();
});

test("what an address shows is asked for once, before the application has come", async ({
  page,
}) => {
  await enter(page, await account(page, "open card, rich"), "/clinics");
  const summary = (await page.locator("a.panel").first().getAttribute("href")) ?? "";
  const card = summary.replace("/summary", "");
  let held = Promise.resolve();
  await page.route("**/assets/app-*.js", async (route) => {
    await held;
    await route.continue();
  });
  for (const [address, read, content] of [
    ["/clinics", "/v1/access", "a.panel"],
    [summary, `/v1${summary}`, "main section.panel"],
    [`${card}/visits`, `/v1${card}/visits`, "main article"],
    [`${card}/results`, `/v1${card}/results`, "main article"],
    [`${card}/prescriptions`, `/v1${card}/prescriptions`, "main article"],
  ] as const) {
    held = page
      .waitForRequest((request) => new URL(request.url()).pathname === read, { timeout: 60_000 })
      .then(() => undefined);
    await page.goto(address, { waitUntil: "commit" });
    await held;
    await page.locator(content).first().waitFor();
    await expect.poll(() => answered(page)).toContain("/v1/notifications");
    const calls = await answered(page);
    expect(calls).toContain(read);
    expect(calls).toEqual([...new Set(calls)]);
  }
});

/** What the API answered this page, by the browser's own account. */
function answered(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    (performance.getEntriesByType("resource") as PerformanceResourceTiming[])
      .filter(({ responseStatus }) => responseStatus === 200)
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.startsWith("/v1/")),
  );
}
