/** People whom a test enters itself: what becomes of them is nobody else's matter. */

import { execFileSync } from "node:child_process";
import { expect, type Page } from "@playwright/test";
import { code, lastMessage, type signedInApi } from "./stack";

/** A СНИЛС that nobody has: its last two digits are the check number of the first nine. */
export function newSnils(): string {
  const digits = String(100_000_000 + Math.floor(Math.random() * 800_000_000));
  const sum = [...digits].reduce((all, digit, place) => all + Number(digit) * (9 - place), 0);
  return digits + String((sum % 101) % 100).padStart(2, "0");
}

export const PASSWORD = "seven-geese-above-the-marsh-40";

/** A phone that has no account: so many messages an hour go to one, whoever asks for them. */
export const newPhone = () => `+7900${1_000_000 + Math.floor(Math.random() * 8_999_999)}`;

/** The number of an account that somebody makes for themselves. */
export async function registered(page: Page): Promise<string> {
  const phone = newPhone();
  const started = await page.request.post("/v1/auth/register", {
    data: {
      phone,
      password: PASSWORD,
      last_name: "Берёзкина",
      first_name: "Мария",
      birth_date: "1951-05-09",
    },
  });
  const { challenge_id } = await started.json();
  const given = { method: "sms", code: await code(page, phone) };
  const made = await page.request.post(`/v1/auth/challenges/${challenge_id}/verify`, {
    data: given,
  });
  expect(made.ok(), await made.text()).toBe(true);
  return phone;
}

type Call = Awaited<ReturnType<typeof signedInApi>>;

interface Entered {
  patient_id: string;
  snils: string;
  phone: string;
  password: string;
}

/** Somebody attached to clinic 1 whose account is verified, entered by its registrar's own calls. */
export async function attached(page: Page, call: Call): Promise<Entered> {
  const snils = newSnils();
  const entered = await call("/v1/clinic/patients", {
    snils,
    last_name: "Берёзкина",
    first_name: "Мария",
    birth_date: "1951-05-09",
    sex: "female",
  });
  const attachment = `/v1/clinic/patients/${entered.patient_id}/attachment`;
  await call(attachment, { code: null }, "PUT");
  const phone = await registered(page);
  const seen = await lastMessage(page, phone);
  await call("/v1/clinic/accounts/verify/start", { phone });
  await call("/v1/clinic/accounts/verify", {
    phone,
    code: await code(page, phone, seen),
    snils,
    document_checked: true,
  });
  return { patient_id: entered.patient_id, snils, phone, password: PASSWORD };
}

/** The same with an open card. */
export async function withCard(page: Page, call: Call): Promise<Entered & { card: string }> {
  const entered = await attached(page, call);
  const of = `/v1/clinic/patients/${entered.patient_id}`;
  const { card_id } = await call(`${of}/card`);
  const document = await call("/v1/consents/documents/current", undefined, "GET");
  await call(`${of}/consents`, {
    document_version: document.version,
    document_sha256: document.sha256,
    signed_on: new Date().toISOString().slice(0, 10),
  });
  return { ...entered, card: card_id };
}

/** A СЭМД as tests/cda.py writes them, about whoever has this СНИЛС, born 9 May 1951. */
export function laboratory(snils: string): string {
  const mark = String(Date.now());
  const made = `Laboratory("${snils}", "19510509", number="${mark}", set_number="${mark}")`;
  const program = `import sys; from tests.cda import Laboratory; sys.stdout.buffer.write(str(${made}).encode())`;
  return execFileSync(".venv/bin/python", ["-c", program], { cwd: "..", encoding: "utf-8" });
}

/** A Bundle of that many visits by one mark, and, where wanted, what is refused or kept. */
export function bundle(mark: string, visits: number, more: object[] = []): string {
  const entry = Array.from({ length: visits }, (_, number) => ({
    resource: {
      resourceType: "Encounter",
      identifier: [{ system: "urn:medkarta:desk-test", value: `${mark}-${number}` }],
      status: "finished",
      class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" },
      period: { start: "2026-11-02T09:00:00+03:00", end: "2026-11-02T09:20:00+03:00" },
      reasonCode: [{ text: `Осмотр ${number + 1}. ${"Жалоб нет. ".repeat(8)}` }],
    },
  }));
  return JSON.stringify({
    resourceType: "Bundle",
    type: "batch",
    entry: [...entry, ...more.map((resource) => ({ resource }))],
  });
}
