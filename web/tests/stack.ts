/** What the journeys need of the stack that they run against: its demo people and its messages. */

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { test as base, expect, type Page } from "@playwright/test";
import en from "../src/texts/en.json" with { type: "json" };
import ru from "../src/texts/ru.json" with { type: "json" };

export { expect };

export interface Account {
  login: string;
  password: string;
  roles: string[];
  totp_secret?: string;
  note: string;
}

type Key = keyof typeof ru;

/** The text of a key in the language of the project, as the screens have it. */
export function spoken(project: string) {
  const texts: Record<Key, string> = project.endsWith("-en") ? en : ru;
  return (key: Key) => texts[key];
}

export const test = base.extend<{ t: (key: Key) => string; problems: string[] }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
  t: async ({}, use, info) => use(spoken(info.project.name)),
  page: async ({ page }, use, info) => {
    const language = info.project.name.endsWith("-en") ? "en" : "ru";
    await page.addInitScript((chosen) => {
      if (!localStorage.getItem("language")) localStorage.setItem("language", chosen);
    }, language);
    await use(page);
  },
  /** What the browser complained of: errors of scripts, and what the page's policy stopped. */
  problems: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (message) => {
        if (/Content Security Policy/.test(message.text())) problems.push(message.text());
      });
      page.on("request", (request) => {
        if (new URL(request.url()).hostname !== "127.0.0.1") problems.push(request.url());
      });
      await use(problems);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
});

/** A demo account by what its note begins with. */
export async function account(page: Page, note: string): Promise<Account> {
  const { accounts } = await (await page.request.get("/_local/demo")).json();
  return accounts.find((each: Account) => each.note.startsWith(note));
}

/** The code of the newest text message to a number, once there is one that was not seen yet. */
export async function code(page: Page, phone: string, seen = ""): Promise<string> {
  let newest = "";
  await expect(async () => {
    const messages = await (
      await page.request.get(`/_local/outbox?to=${encodeURIComponent(phone)}`)
    ).json();
    newest = JSON.stringify(messages[0] ?? "");
    expect(newest).toMatch(/\d{6}/);
    expect(newest).not.toBe(seen);
  }).toPass({ timeout: 60_000 });
  return /\b(\d{6})\b/.exec(JSON.parse(newest).text)?.[1] ?? "";
}

/** The newest message now, to tell the next one from it. */
export async function lastMessage(page: Page, phone: string): Promise<string> {
  const messages = await (
    await page.request.get(`/_local/outbox?to=${encodeURIComponent(phone)}`)
  ).json();
  return messages[0] ? JSON.stringify(messages[0]) : "";
}

/** Sign in by the screens: password, then the code from the text message or the app. */
export async function signIn(page: Page, t: (key: Key) => string, who: Account): Promise<void> {
  const seen = await lastMessage(page, who.login);
  await page.getByLabel(t("sign_in.login")).fill(who.login);
  await page.getByLabel(t("sign_in.password")).fill(who.password);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  if (who.totp_secret) {
    await page.getByLabel(t("second.totp.label")).fill(totp(who.totp_secret));
  } else {
    await page.getByLabel(t("second.sms.label")).fill(await code(page, who.login, seen));
  }
  await page.getByRole("button", { name: t("second.submit") }).click();
  await expect(page.getByRole("button", { name: t("nav.sign_out") })).toBeVisible();
}

/** The code that an authenticator app shows now (RFC 6238: SHA-1, 30 s, 6 digits). */
export function totp(secret: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((each) => alphabet.indexOf(each).toString(2).padStart(5, "0"));
  const key = Buffer.from(
    (bits.join("").match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)),
  );
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A call of the API as a demo account, for what another person does meanwhile. */
export async function signedInApi(page: Page, who: Account) {
  const call = async (path: string, data: object, method = "POST", token = "") => {
    const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
    const answer = await page.request.fetch(path, { method, data, headers });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return (await answer.body()).length ? answer.json() : {};
  };
  const { challenge_id } = await call("/v1/auth/login", {
    login: who.login,
    password: who.password,
  });
  let token = "";
  // A code of the app serves once: where another test has just used it, the next one has to come.
  await expect(async () => {
    const given = { method: "totp", code: totp(who.totp_secret ?? "") };
    token = (await call(`/v1/auth/challenges/${challenge_id}/verify`, given)).access_token;
  }).toPass({ intervals: [10_000], timeout: 60_000 });
  return (path: string, data: object, method = "POST") => call(path, data, method, token);
}

interface Person {
  note: string;
  snils: string;
  birth_date: string;
}

/** A demo patient as the front desk knows them. */
export function person(note: string): Person {
  const people = JSON.parse(readFileSync("../local/demo/people.json", "utf-8"));
  return people.patients.find((each: Person) => each.note.startsWith(note));
}
