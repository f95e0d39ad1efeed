/** The desk, by those who work at it; what they change is of people whom the test enters itself. */

import type { Page } from "@playwright/test";
import en from "../src/desk/texts/en.json" with { type: "json" };
import ru from "../src/desk/texts/ru.json" with { type: "json" };
import { look } from "./look";
import { attached, bundle, laboratory, newPhone, newSnils, registered, withCard } from "./people";
import {
  account,
  test as base,
  code,
  enter,
  expect,
  lastMessage,
  person,
  signedInApi,
  signIn,
} from "./stack";

type Say = (key: keyof typeof ru, values?: Record<string, string>) => string;

const test = base.extend<{ d: Say }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  d: async ({}, use, info) => {
    const texts: Record<string, string> = info.project.name.endsWith("-en") ? en : ru;
    await use((key, values = {}) =>
      Object.entries(values).reduce(
        (text, [name, value]) => text.replace(`{${name}}`, value),
        texts[key] ?? "",
      ),
    );
  },
});

test("a registrar enters a person and brings them to their card", async ({ page, t, d }) => {
  await enter(page, await account(page, "registrar of clinic 1"), "/desk");
  await page.getByRole("link", { name: d("people.about") }).waitFor();
  await look(page, "desk-01-registrar");
  await page.getByRole("link", { name: d("people.about") }).click();
  await page.getByLabel(d("snils")).fill("111-111-111 11");
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "desk-02-people-refused");

  const snils = newSnils();
  await page.getByLabel(d("snils")).fill(snils);
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByText(d("people.unknown"), { exact: true }).waitFor();
  await look(page, "desk-03-people-unknown");
  await page.getByRole("button", { name: d("people.enter") }).click();
  await page.getByLabel(t("person.last_name")).fill("Берёзкина");
  await page.getByLabel(t("person.first_name")).fill("Мария");
  await page.getByLabel(t("person.birth_date")).fill("09.05.1951");
  await page.locator("input[value=female]").check();
  await look(page, "desk-04-people-enter");
  await page.getByRole("button", { name: d("people.enter") }).click();

  await page.getByText(d("step.attached.nowhere")).waitFor();
  await look(page, "desk-05-person-new");
  await page.getByRole("button", { name: d("attach"), exact: true }).click();
  await page.getByRole("button", { name: d("card.activate") }).click();
  await page.getByText(d("step.card.active")).waitFor();
  await page.getByRole("button", { name: d("paper.open") }).click();
  await page.locator("input[name=seen]").check();
  await look(page, "desk-06-paper-consent");
  await page.getByRole("button", { name: d("paper.submit"), exact: true }).click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.getByText(d("consent.given"), { exact: true }).waitFor();

  await page.getByRole("button", { name: d("verify.open") }).click();
  await page.getByLabel(t("person.phone")).fill(newPhone());
  await page.getByRole("button", { name: d("verify.send") }).click();
  await page.locator("input[name=code]").fill("000000");
  await page.locator("input[name=document_checked]").check();
  await page.getByRole("button", { name: d("verify.confirm"), exact: true }).click();
  await page.getByText(d("verify.challenge_expired.title")).waitFor();
  await look(page, "desk-07-verify");
  const phone = await registered(page);
  const seen = await lastMessage(page, phone);
  await page.getByRole("button", { name: d("verify.again") }).click();
  await page.getByLabel(t("person.phone")).fill(phone);
  await page.getByRole("button", { name: d("verify.send") }).click();
  await page.locator("input[name=code]").fill(await code(page, phone, seen));
  await page.getByRole("button", { name: d("verify.confirm"), exact: true }).click();
  await page.getByText(t("field.missing")).waitFor();
  await page.locator("input[name=document_checked]").check();
  await page.getByRole("button", { name: d("verify.confirm"), exact: true }).click();
  await page.getByText(d("step.account.bound")).waitFor();

  await page.getByText(d("person.more")).click();
  await look(page, "desk-08-person-whole");
  await page.getByRole("button", { name: d("death.note"), exact: true }).click();
  await page.getByLabel(d("death.date")).fill("20.11.2026");
  await look(page, "desk-09-death");
  await page
    .getByRole("dialog")
    .getByRole("button", { name: d("death.note"), exact: true })
    .click();
  await page.getByText(d("person.died.hint")).waitFor();
  await look(page, "desk-10-died");
  await page.getByRole("button", { name: d("death.take_back") }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: d("death.take_back") })
    .click();
  await page.getByText(d("step.attached.nowhere")).waitFor();

  await page.getByText(d("person.more")).click();
  await page.getByRole("button", { name: d("merge.open") }).click();
  const other = page.getByRole("dialog");
  await other.getByLabel(d("merge.snils")).fill(person("open card, small").snils);
  await other.getByRole("button", { name: d("find") }).click();
  await other.getByText(d("merge.final")).waitFor();
  await look(page, "desk-11-merge");
  await other.getByRole("button", { name: d("merge.submit") }).click();
  await other.getByRole("alert").waitFor();
  await look(page, "desk-12-merge-refused");
});

test("a registrar attaches somebody of another clinic by the code sent to them", async ({
  page,
  d,
}) => {
  const call = await signedInApi(page, await account(page, "registrar of clinic 1"));
  const { snils, phone } = await attached(page, call);
  await enter(page, await account(page, "registrar of clinic 2"), "/desk/people");
  await page.getByLabel(d("snils")).fill(snils);
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByText(d("step.account.bound")).waitFor();
  const seen = await lastMessage(page, phone);
  await page.getByRole("button", { name: d("attach"), exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(d("code")).fill("000000");
  await dialog.getByRole("button", { name: d("attach") }).click();
  await dialog.getByRole("alert").waitFor();
  await look(page, "desk-13-attach-code");
  await dialog.getByLabel(d("code")).fill(await code(page, phone, seen));
  await dialog.getByRole("button", { name: d("attach") }).click();
  await page.getByText(d("step.attached.here")).waitFor();
  await page.getByText(d("person.more")).click();
  await page.getByRole("button", { name: d("detach") }).click();
  await look(page, "desk-14-detach");
  await page
    .getByRole("dialog")
    .getByRole("button", { name: d("detach") })
    .click();
  await page.getByText(d("step.attached.nowhere")).waitFor();
});

test("a registrar's staff, contested entries and release rules", async ({ page, t, d }) => {
  await enter(page, await account(page, "registrar of clinic 1"), "/desk/staff");
  await page.getByText("Лебедева Екатерина Викторовна").waitFor();
  await page.getByLabel(d("appoint.phone")).fill("+7 900 000-99-97");
  await page.getByLabel(d("appoint.name")).fill("Новикова Ольга Петровна");
  await page.getByRole("button", { name: d("appoint"), exact: true }).click();
  await page.getByText(d("appoint.not_found.title")).waitFor();
  await look(page, "desk-15-staff");
  await page
    .getByRole("button", { name: d("dismiss") })
    .first()
    .click();
  await look(page, "desk-16-dismiss");
  await page.keyboard.press("Escape");
  const menu = page.getByRole("navigation", { name: t("nav.desk") });
  await menu.getByRole("link", { name: d("cases.title") }).click();
  await page.getByRole("heading", { name: d("cases.title") }).waitFor();
  await look(page, "desk-17-cases");
  await menu.getByRole("link", { name: d("release.title") }).click();
  await page.locator("select[name=diagnostic]").waitFor();
  await page.getByRole("button", { name: d("save") }).click();
  await page.getByText(d("saved"), { exact: true }).waitFor();
  await look(page, "desk-18-release");
});

test("a registrar who asks for code after code is told how long to wait", async ({
  page,
  t,
  d,
}) => {
  const registrar = await account(page, "registrar of clinic 1");
  const call = await signedInApi(page, registrar);
  const { snils } = await attached(page, call);
  const phone = await registered(page);
  await call("/v1/clinic/accounts/verify/start", { phone });
  for (let wrong = 0; wrong < 5; wrong++) {
    const given = { phone, code: "none", snils, document_checked: true };
    await call("/v1/clinic/accounts/verify", given, "POST", 401);
  }
  const other = newSnils();
  await call("/v1/clinic/patients", {
    snils: other,
    last_name: "Берёзкина",
    first_name: "Мария",
    birth_date: "1951-05-09",
    sex: "female",
  });
  await enter(page, registrar, "/desk/people");
  await page.getByLabel(d("snils")).fill(other);
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByRole("button", { name: d("verify.open") }).click();
  await page.getByLabel(t("person.phone")).fill(phone);
  await page.getByRole("button", { name: d("verify.send") }).click();
  const told = page.getByRole("dialog").getByRole("alert");
  await expect(told).toContainText(/\d+\s(мин|сек|min|sec)/);
  await look(page, "desk-19-wait");
  // What was entered stays, for when the wait is over.
  await expect(page.getByLabel(t("person.phone"))).toHaveValue(phone);
});

test("a registrar answers a patient who contests a reading", async ({ page, d }) => {
  const registrar = await account(page, "registrar of clinic 1");
  const call = await signedInApi(page, registrar);
  const patient = await withCard(page, call);
  const asDoctor = await signedInApi(page, await account(page, "another clinician of clinic 1"));
  await asDoctor(`/v1/clinic/cards/${patient.card}/summary`, undefined, "GET");
  const asPatient = await signedInApi(page, { ...patient, login: patient.phone });
  const journal = `/v1/cards/${patient.card}/journal`;
  const { items } = await asPatient(journal, undefined, "GET");
  const read = items.find((each: { action: string }) => each.action === "read_as_clinician");
  const text = `Я не была у этого врача. ${Date.now()}`;
  await asPatient(`${journal}/${read.entry_id}/contest`, { text });

  await enter(page, registrar, "/desk/cases");
  const contested = page.locator("article", { hasText: text });
  await contested.getByRole("button", { name: d("cases.reply") }).click();
  const dialog = page.getByRole("dialog");
  const answer = "Врач смотрел карту перед приёмом, на который вы записаны.";
  await dialog.getByLabel(d("cases.answer")).fill(answer);
  await look(page, "desk-61-answer");
  await dialog.getByRole("button", { name: d("send") }).click();
  await expect(dialog).toHaveCount(0);
  await expect(contested).toHaveCount(0);
  await page.getByLabel(d("cases.show")).selectOption("answered");
  await expect(contested).toContainText(answer);
  await look(page, "desk-62-answered");
  const told = await asPatient(`${journal}/${read.entry_id}/contest`, undefined, "GET");
  expect(told.answer).toBe(answer);
});

test("a clinician sends a laboratory's document, and what is held is shown once seen", async ({
  page,
  t,
  d,
}) => {
  const registrar = await signedInApi(page, await account(page, "registrar of clinic 1"));
  const patient = await withCard(page, registrar);
  const rules = await registrar("/v1/clinic/release-rules", undefined, "GET");
  await registrar("/v1/clinic/release-rules", { laboratory: 3, diagnostic: 3 }, "PUT");
  try {
    const clinician = await account(page, "another clinician of clinic 1");
    await enter(page, clinician, `/desk/cards/${patient.card}/send`);
    await page.getByRole("button", { name: d("send.choose") }).waitFor();
    await give(page, "protocol.xml", laboratory(patient.snils));
    await page.getByRole("button", { name: d("send.submit") }).click();
    await page.getByText(d("outcome.all")).waitFor();
    const created = page.getByRole("row", { name: d("outcome.created") });
    await expect(created.getByRole("cell").last()).toHaveText(/^[1-9]\d*$/);
    await look(page, "desk-37-cda-outcome");
  } finally {
    await registrar("/v1/clinic/release-rules", rules, "PUT");
  }
  const asPatient = await signedInApi(page, { ...patient, login: patient.phone });
  const results = `/v1/cards/${patient.card}/results`;
  expect((await asPatient(results, undefined, "GET")).items).toEqual([]);

  await page.getByRole("link", { name: d("send.back") }).click();
  const tabs = page.getByRole("navigation", { name: t("card.sections") });
  await tabs.getByRole("link", { name: t("card.results") }).click();
  await page.locator("article h3 a").first().click();
  await page.getByRole("button", { name: d("held.see") }).waitFor();
  await look(page, "desk-38-held");
  await page.getByRole("button", { name: d("held.see") }).click();
  await page.getByText(d("held.seen")).waitFor();
  const shown = await asPatient(results, undefined, "GET");
  expect(shown.items[0].conclusion).toBe("Гипергликемия.");
});

async function give(page: Page, name: string, content: string): Promise<void> {
  await page.locator("input[type=file]").setInputFiles({
    name,
    mimeType: "application/octet-stream",
    buffer: Buffer.from(content),
  });
}

test("a clinician reads a card and adds to it", async ({ page, t, d }) => {
  const mark = `${test.info().project.name}-${Date.now()}`;
  await enter(page, await account(page, "another clinician of clinic 1"), "/desk");
  await page.getByRole("link", { name: d("cards.about") }).waitFor();
  await look(page, "desk-20-clinician");
  await page.getByRole("link", { name: d("cards.about") }).click();
  await page.getByLabel(d("snils")).fill(newSnils());
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByText(d("cards.none"), { exact: true }).waitFor();
  await look(page, "desk-21-cards-none");
  await page.getByLabel(d("snils")).fill(person("consent_given fails").snils);
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByText(d("cards.no_consent")).waitFor();
  await look(page, "desk-22-cards-no-consent");
  await page.getByRole("link", { name: d("cards.open") }).click();
  await page.getByText(d("card.consent_required.title")).first().waitFor();
  await look(page, "desk-23-card-closed");

  await page
    .getByRole("alert")
    .getByRole("link", { name: d("cards.title") })
    .first()
    .click();
  await page.getByLabel(d("snils")).fill(person("open card, rich").snils);
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByRole("link", { name: d("cards.open") }).click();
  await page.getByRole("heading", { name: t("summary.allergies") }).waitFor();
  await look(page, "desk-24-summary");
  const tabs = page.getByRole("navigation", { name: t("card.sections") });
  await tabs.getByRole("link", { name: t("card.visits") }).click();
  await page.locator("article").first().waitFor();
  await look(page, "desk-25-visits");
  await page.locator("article h3 a").first().click();
  await page.getByRole("heading", { name: t("record.origin") }).waitFor();
  await look(page, "desk-26-visit");
  await page.goBack();
  await tabs.getByRole("link", { name: t("card.results") }).click();
  await page.locator("article").first().waitFor();
  await page
    .locator("article", { has: page.locator(".flag-warning") })
    .first()
    .locator("h3 a")
    .click();
  await page.getByRole("heading", { name: t("record.origin") }).waitFor();
  await look(page, "desk-27-result");
  await page
    .getByRole("link", { name: t("results.trend") })
    .first()
    .click();
  await page.locator("table").first().waitFor();
  await look(page, "desk-28-trend");
  await page.goBack();
  await page.goBack();
  await tabs.getByRole("link", { name: t("card.prescriptions") }).click();
  await page.locator("article").first().waitFor();
  await look(page, "desk-29-prescriptions");

  await page.getByRole("link", { name: d("send.title") }).click();
  await page.getByRole("button", { name: d("send.choose") }).waitFor();
  await look(page, "desk-30-send");
  await give(page, "broken.json", "{ this is no Bundle");
  await page.getByRole("button", { name: d("send.submit") }).click();
  await page.getByText(d("intake.malformed.title")).waitFor();
  await look(page, "desk-31-send-malformed");
  const refused = { resourceType: "Encounter", status: "no-such-status" };
  const kept = { resourceType: "Basic", id: mark, code: { text: "Прочее" } };
  await give(page, "visits.json", bundle(mark, 2, [refused, kept]));
  await page.getByRole("button", { name: d("send.submit") }).click();
  await page.getByText(d("outcome.rejected.table")).waitFor();
  await look(page, "desk-32-outcome");
  await give(page, "visits.json", bundle(mark, 2));
  await page.getByRole("button", { name: d("send.submit") }).click();
  await page.getByText(d("outcome.all")).waitFor();
  await expect(page.getByRole("row", { name: d("outcome.unchanged") })).toContainText("2");
  const patient = {
    resourceType: "Patient",
    identifier: [{ system: "urn:oid:1.2.643.100.3", value: newSnils() }],
    birthDate: "1990-01-01",
  };
  await give(page, "other.json", bundle(`${mark}-other`, 1, [patient]));
  await page.getByRole("button", { name: d("send.submit") }).click();
  await page.getByText(d("intake.wrong_patient.title")).waitFor();
  await look(page, "desk-33-wrong-patient");
  await give(page, "document.xml", "<ClinicalDocument xmlns='urn:hl7-org:v3'></ClinicalDocument>");
  await page.getByText(d("send.is_cda", { name: "document.xml", size: "" }).slice(0, 20)).waitFor();
  await page.getByRole("button", { name: d("send.submit") }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "desk-34-cda-refused");
});

test("a clinician uploads what is too large for a request", async ({ page, d }) => {
  await enter(page, await account(page, "another clinician of clinic 1"), "/desk/cards");
  await page.getByLabel(d("snils")).fill(person("open card, small").snils);
  await page.getByRole("button", { name: d("find") }).click();
  await page.getByRole("link", { name: d("send.title") }).click();
  const many = bundle(`large-${test.info().project.name}`, 6);
  const large = `${many.slice(0, -1)}${" ".repeat(5.2 * 1024 * 1024)}}`;
  await give(page, "large.json", large);
  await page.getByRole("button", { name: d("send.submit") }).click();
  await page.getByRole("heading", { name: d("import.title") }).waitFor();
  await look(page, "desk-35-import");
  await page.getByText(d("import.done")).waitFor({ timeout: 90_000 });
  await page.getByText(d("outcome.all")).waitFor();
  await look(page, "desk-36-import-done");
});

test("a clinician of another clinic is refused, and opens a card in an emergency", async ({
  page,
  t,
  d,
}) => {
  const whose = person("open card, small");
  await enter(page, await account(page, "clinician of clinic 2"), "/desk/cards/unknown/summary");
  await page.getByText(d("card.forbidden.title")).first().waitFor();
  await look(page, "desk-40-forbidden");
  await page
    .getByRole("alert")
    .getByRole("link", { name: d("emergency.title") })
    .first()
    .click();
  await page.getByLabel(d("snils")).fill(whose.snils);
  await page.getByLabel(t("person.birth_date")).fill("01.01.1900");
  await page.getByLabel(d("emergency.reason")).fill("Без сознания, нужны сведения об аллергии.");
  await look(page, "desk-41-emergency");
  await page.getByRole("button", { name: d("emergency.submit") }).click();
  await page.getByText(d("emergency.not_found.title")).waitFor();
  await look(page, "desk-42-emergency-refused");
  await page
    .getByLabel(t("person.birth_date"))
    .fill(whose.birth_date.split("-").reverse().join("."));
  await page.getByRole("button", { name: d("emergency.submit") }).click();
  await page.getByRole("heading", { name: d("emergency.opened") }).waitFor();
  await look(page, "desk-43-emergency-opened");
  await page.locator("main .panel a").first().click();
  await page.getByRole("heading", { name: t("summary.allergies") }).waitFor();
  await page.getByText(d("emergency.read_only")).waitFor();
  await look(page, "desk-44-emergency-card");
});

test("an operator enters and connects regions and clinics", async ({ page, t, d }) => {
  await page.goto("/sign-in?next=%2Fdesk");
  await signIn(page, t, await account(page, "operator"));
  await page.getByRole("link", { name: d("regions.about") }).waitFor();
  await look(page, "desk-50-operator");
  await page.getByRole("link", { name: d("regions.about") }).click();
  await page.getByRole("button", { name: d("regions.enter") }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(d("regions.code")).fill("RU-KLU");
  await dialog.getByLabel(d("name")).fill("Калужская область");
  await look(page, "desk-51-region");
  await dialog.getByRole("button", { name: d("save") }).click();
  await expect(dialog).toHaveCount(0);
  await page.getByText("Калужская область").first().waitFor();
  await look(page, "desk-52-regions");
  const menu = page.getByRole("navigation", { name: t("nav.desk") });
  await menu.getByRole("link", { name: d("clinics.title") }).click();
  await page.getByRole("button", { name: d("clinics.enter") }).click();
  await dialog.getByLabel(d("clinics.id")).fill("klu-lesnaya");
  await dialog.getByLabel(d("name")).fill("Поликлиника «Лесная»");
  await dialog.getByLabel(d("region")).selectOption("RU-KLU");
  await dialog.getByLabel(d("clinics.phone")).fill("+7 484 200-01-01");
  await dialog.getByLabel(d("clinics.address")).fill("Калуга, Показательный проезд, 2");
  await look(page, "desk-53-clinic");
  await dialog.getByRole("button", { name: d("save") }).click();
  await expect(dialog).toHaveCount(0);
  await page.getByText("Поликлиника «Лесная»").first().waitFor();
  await look(page, "desk-54-clinics");
  await page.getByLabel(d("clinics.find")).fill("нет такой поликлиники");
  await page.getByText(d("clinics.none")).waitFor();
  await page.context().setOffline(true);
  await page.getByLabel(d("clinics.find")).fill("Лесная");
  await page.getByRole("alert").getByText(t("problem.offline.title")).waitFor();
  await look(page, "desk-56-offline");
  await page.context().setOffline(false);
  await page.getByRole("button", { name: t("problem.again") }).click();
  await page.getByText("Поликлиника «Лесная»").first().waitFor();
  await menu.getByRole("link", { name: d("registrars.title") }).click();
  await page.getByText("Тихонова Людмила Ивановна").waitFor();
  await page.getByLabel(d("clinic"), { exact: true }).selectOption("Поликлиника «Лесная»");
  await look(page, "desk-55-registrars");
});

test("who has no role is told what to do", async ({ page, d }) => {
  await enter(page, await account(page, "open card, small"), "/desk");
  await page.getByText(d("no_role.title")).waitFor();
  await look(page, "desk-60-no-role");
});
