/** What the journeys need of the stack that they run against: its demo people and its messages. */

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { test as base, type Cookie, expect, type Page } from "@playwright/test";
import enLabels from "../../functions/kernel/texts/en.json" with { type: "json" };
import ruLabels from "../../functions/kernel/texts/ru.json" with { type: "json" };
import enTexts from "../src/texts/en.json" with { type: "json" };
import ruTexts from "../src/texts/ru.json" with { type: "json" };

export { expect };

export interface Account {
  login: string;
  password: string;
  totp_secret?: string;
}

const en = { ...enLabels, ...enTexts };
const ru = { ...ruLabels, ...ruTexts };
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
    await keep(page);
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
        // Files come from this machine's platform, which has no name.
        if (!["localhost", "127.0.0.1"].includes(new URL(request.url()).hostname))
          problems.push(request.url());
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
  return accounts.find((each: { note: string }) => each.note.startsWith(note));
}

interface TextMessage {
  text: string;
  sent_at: string;
}

const CODE = /\b\d{6}\b/;

/** The text messages to a number that hold a code, newest first; notices come among them. */
async function codes(page: Page, phone: string): Promise<TextMessage[]> {
  const outbox = await page.request.get(`/_local/outbox?to=${encodeURIComponent(phone)}`);
  const messages: TextMessage[] = await outbox.json();
  return messages.filter(({ text }) => CODE.test(text));
}

/** The newest message with a code as it is now, to tell the next one from it. */
export async function lastMessage(page: Page, phone: string): Promise<string> {
  const [newest] = await codes(page, phone);
  return newest ? JSON.stringify(newest) : "";
}

/** The code of the newest text message to a number, once there is one that was not seen yet. */
export async function code(page: Page, phone: string, seen = ""): Promise<string> {
  let newest = "";
  await expect(async () => {
    newest = await lastMessage(page, phone);
    expect(newest).not.toBe("");
    expect(newest).not.toBe(seen);
  }).toPass({ timeout: 60_000 });
  return CODE.exec(JSON.parse(newest).text)?.[0] ?? "";
}

/** The way out of the session: other buttons of a page may be called alike. */
export function signOut(page: Page, t: (key: Key) => string) {
  return page.getByRole("banner").getByRole("button", { name: t("nav.sign_out"), exact: true });
}

/** Sign in by the screens: password, then the code from the text message or the app. */
export async function signIn(page: Page, t: (key: Key) => string, who: Account): Promise<void> {
  const seen = await lastMessage(page, who.login);
  await page.getByLabel(t("sign_in.login")).fill(who.login);
  await page.getByLabel(t("sign_in.password")).fill(who.password);
  await page.getByRole("button", { name: t("sign_in.submit") }).click();
  if (who.totp_secret) {
    const field = page.getByLabel(t("second.totp.label"));
    await field.waitFor();
    // Each code serves once: where another test has just used it, the next one has to come.
    await expect(async () => {
      if ((await field.count()) === 0) return;
      await field.fill(totp(who.totp_secret ?? ""), { timeout: 1_000 });
      await page.getByRole("button", { name: t("second.submit") }).click();
      await expect(field).toHaveCount(0, { timeout: 10_000 });
    }).toPass({ intervals: [3_000], timeout: 120_000 });
  } else {
    await page.getByLabel(t("second.sms.label")).fill(await code(page, who.login, seen));
    await page.getByRole("button", { name: t("second.submit") }).click();
  }
  await expect(signOut(page, t)).toBeVisible();
}

/** A session of a demo account: the cookie for browsers, the token for calls beside them. */
interface Kept {
  cookies: Cookie[];
  token: string;
  until: number;
}

// Of this worker process. Codes of the app serve once in 30 s, so sessions are used again.
const sessions = new Map<string, Kept>();
const shown = new WeakMap<Page, Account>();

/** Open a path as a demo account, without its sign-in being the test's matter. */
export async function enter(page: Page, who: Account, path: string): Promise<void> {
  const { cookies } = sessions.get(who.login) ?? (await begin(page, who));
  await page.context().addCookies(cookies);
  await page.addInitScript(() => {
    if (sessionStorage.getItem("entered")) return;
    sessionStorage.setItem("entered", "1");
    localStorage.setItem("signed_in", "1");
  });
  shown.set(page, who);
  await page.goto(path);
}

/** What the page did to its session's cookie is what the next test goes on with. */
async function keep(page: Page): Promise<void> {
  const who = shown.get(page);
  const kept = who && sessions.get(who.login);
  if (!kept) return;
  kept.cookies = await page.context().cookies();
  if (kept.cookies.length === 0 || test.info().status !== test.info().expectedStatus) {
    sessions.delete(who.login);
  }
}

async function begin(page: Page, who: Account): Promise<Kept> {
  const headers = {
    "X-Client": "web",
    Origin: new URL(test.info().project.use.baseURL ?? "").origin,
  };
  const call = async (path: string, data: object) => {
    const answer = await page.request.post(path, { data, headers });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return (await answer.body()).length ? answer.json() : {};
  };
  const { challenge_id } = await call("/v1/auth/login", {
    login: who.login,
    password: who.password,
  });
  const challenge = `/v1/auth/challenges/${challenge_id}`;
  let given: { access_token: string; expires_in: number } | undefined;
  if (who.totp_secret) {
    // As above: the next code may have to come first.
    await expect(async () => {
      const tried = { method: "totp", code: totp(who.totp_secret ?? "") };
      given = await call(`${challenge}/verify`, tried);
    }).toPass({ intervals: [5_000], timeout: 120_000 });
  } else {
    const seen = await lastMessage(page, who.login);
    await call(`${challenge}/send`, { method: "sms" });
    const told = await code(page, who.login, seen);
    given = await call(`${challenge}/verify`, { method: "sms", code: told });
  }
  const kept = {
    cookies: await page.context().cookies(),
    token: given?.access_token ?? "",
    until: Date.now() + (given?.expires_in ?? 0) * 500, // half of its time
  };
  sessions.set(who.login, kept);
  return kept;
}

/** A call of the API as a demo account, for what another person does meanwhile. */
export async function signedInApi(page: Page, who: Account) {
  const mine = await page.context().cookies();
  let session = sessions.get(who.login);
  if (!session || session.until < Date.now()) {
    session = await begin(page, who);
    await page.context().clearCookies();
    await page.context().addCookies(mine);
  }
  const authorization = `Bearer ${session.token}`;
  return async (path: string, data?: object | string, method = "POST", status = 2) => {
    const headers: Record<string, string> = { authorization };
    if (typeof data === "string") headers["Content-Type"] = "application/fhir+json";
    const answer = await page.request.fetch(path, { method, data, headers });
    const expected = new RegExp(`^${status}`); // 2: any success
    expect(String(answer.status()), `${path}: ${await answer.text()}`).toMatch(expected);
    return (await answer.body()).length ? answer.json() : {};
  };
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
