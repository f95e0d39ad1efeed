/** Every screen at each width and in each language. */

import { look } from "./look";
import { account, code, enter, lastMessage, test } from "./stack";

test("the screens of a guest", async ({ page, t }) => {
  await page.goto("/");
  await page.locator('a[href="/services/electronic-medical-card"]').waitFor();
  await look(page, "01-catalogue");
  await page.goto("/services/electronic-medical-card");
  await page.getByRole("link", { name: t("service.get") }).waitFor();
  await look(page, "02-service");
  await page.getByRole("link", { name: t("service.get") }).click();
  await page.getByLabel(t("sign_in.login")).waitFor();
  await look(page, "03-sign-in");
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await page.getByText(t("field.missing")).first().waitFor();
  await look(page, "04-sign-in-missing");
  await page.getByLabel(t("sign_in.login")).fill("+7 900 000-99-98");
  await page.getByLabel(t("sign_in.password")).fill("not the password at all");
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "05-sign-in-refused");
  await page.goto("/register");
  await page.getByLabel(t("person.last_name")).waitFor();
  await look(page, "06-register");
  await page.goto("/reset");
  await page.getByLabel(t("sign_in.login")).waitFor();
  await look(page, "07-reset");
  await page.goto("/help");
  await page.locator("summary").nth(3).click();
  await look(page, "08-help");
  await page.goto("/find-clinic");
  await page.locator("article").first().waitFor();
  await look(page, "31-find-clinic");
  await page.goto("/verify/AAAAAAAAAAAAAAAA");
  await page.getByText(t("verify.no_code")).waitFor();
  await look(page, "09-verify-unknown");
  await page.goto("/no-such-page");
  await page.getByRole("heading", { name: t("missing.title") }).waitFor();
  await look(page, "10-missing");
});

test("the screens of a patient with an open card", async ({ page, t }) => {
  const who = await account(page, "open card, rich");
  const seen = await lastMessage(page, who.login);
  await page.goto("/sign-in");
  await page.getByLabel(t("sign_in.login")).fill(who.login);
  await page.getByLabel(t("sign_in.password")).fill(who.password);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  await page.getByLabel(t("second.sms.label")).waitFor();
  await look(page, "11-second-step");
  await page.getByLabel(t("second.sms.label")).fill(await code(page, who.login, seen));
  await page.getByRole("button", { name: t("second.submit") }).click();
  await page.locator("a.panel").first().waitFor();
  await look(page, "12-clinics");
  await page.locator("a.panel").first().click();
  await page.getByRole("heading", { name: t("summary.allergies") }).waitFor();
  await look(page, "13-summary");
  await page.getByRole("link", { name: t("card.visits"), exact: true }).click();
  await page.locator("article").first().waitFor();
  await look(page, "14-visits");
  await page.locator("article h3 a").first().click();
  await page.getByRole("heading", { name: t("record.origin") }).waitFor();
  await look(page, "15-visit");
  await page.getByRole("button", { name: t("hide.record"), exact: true }).click();
  await page.getByRole("dialog").waitFor();
  await look(page, "16-hide");
  await page.getByRole("button", { name: t("state.cancel") }).click();
  await page.goBack();
  await page.getByRole("link", { name: t("card.results"), exact: true }).click();
  await page.locator("article").first().waitFor();
  await look(page, "17-results");
  await page
    .locator("article", { has: page.locator(".flag-warning") })
    .first()
    .locator("h3 a")
    .click();
  await page.getByRole("heading", { name: t("record.origin") }).waitFor();
  await look(page, "18-result");
  await page
    .getByRole("link", { name: t("results.trend") })
    .first()
    .click();
  await page.locator("table").first().waitFor();
  await look(page, "19-trend");
  await page.goBack();
  await page.goBack();
  await page.getByRole("link", { name: t("card.prescriptions"), exact: true }).click();
  await page.locator("article").first().waitFor();
  await page.locator("details summary").click();
  await look(page, "20-prescriptions");
  await page.getByRole("link", { name: t("card.extract") }).click();
  await page.getByRole("button", { name: t("extract.submit") }).waitFor();
  await look(page, "21-order-extract");
  await page.goBack();
  await page.getByRole("link", { name: t("card.journal") }).click();
  await page.locator("article").first().waitFor();
  await look(page, "22-journal");
  await page
    .getByRole("button", { name: t("contest.open") })
    .first()
    .click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: t("contest.submit") })
    .waitFor();
  await look(page, "23-contest");
  await page.keyboard.press("Escape");
  const menu = page.getByRole("navigation", { name: t("nav.main") });
  await menu.getByRole("link", { name: t("nav.extracts") }).click();
  await page.getByRole("heading", { name: t("extracts.title") }).waitFor();
  await look(page, "24-extracts");
  await menu.getByRole("link", { name: t("nav.notifications") }).click();
  await page.getByRole("heading", { name: t("nav.notifications"), level: 1 }).waitFor();
  await look(page, "25-notifications");
  await menu.getByRole("link", { name: t("nav.settings") }).click();
  await page.getByRole("heading", { name: /Петрова/ }).waitFor();
  await look(page, "26-settings");
  for (const [number, part] of ["consents", "devices", "factors", "password"].entries()) {
    await page
      .getByRole("link", { name: t(`settings.${part}.lead` as "settings.password.lead") })
      .click();
    await page
      .getByRole("heading", { name: t(`settings.${part}` as "settings.password"), level: 1 })
      .waitFor();
    await look(page, `${27 + number}-${part}`);
    await page
      .getByRole("link", { name: t("nav.settings") })
      .last()
      .click();
  }
});

test("the screens of a patient whose card is closed", async ({ page, t }) => {
  await enter(page, await account(page, "account_verified fails"), "/access");
  await page.locator(".step-missing").first().waitFor();
  await look(page, "32-access-no-clinic");
  await page.goto("/settings");
  await page.getByText(t("settings.unverified"), { exact: true }).waitFor();
  await look(page, "33-settings-unverified");
  await page.context().clearCookies();
  await enter(page, await account(page, "clinic_connected fails"), "/access");
  await page.locator(".step-missing").first().waitFor();
  await look(page, "34-access");
  await page.goto("/clinics");
  await page.getByRole("heading", { name: t("clinics.title") }).waitFor();
  await look(page, "35-clinics-closed");
  await page.goto("/consent");
  await page.getByRole("button", { name: t("consent.give") }).waitFor();
  await look(page, "36-consent");
});
