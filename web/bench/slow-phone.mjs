/**
 * How long a card takes on a slow phone: `PORTAL=http://localhost:8080 npm run bench`.
 *
 * The network is what Lighthouse and DevTools call "slow 4G" (562.5 ms a request, 1.44 Mbit/s
 * down, 0.66 up), the processor is slowed four times, the width a phone's. Milliseconds, the
 * median of RUNS (5), beside what was loaded and what the same takes without the slowing.
 */

import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";

const PORTAL = process.env.PORTAL ?? "http://localhost:8080";
const RUNS = Number(process.env.RUNS ?? 5);
const SLOW_4G = {
  offline: false,
  latency: 562.5,
  downloadThroughput: (1474.56 * 1024) / 8,
  uploadThroughput: (675 * 1024) / 8,
};
const CPU = 4;
const debian = "/usr/bin/chromium";

const browser = await chromium.launch(existsSync(debian) ? { executablePath: debian } : {});
const context = await browser.newContext({
  baseURL: PORTAL,
  viewport: { width: 390, height: 844 },
  locale: "ru-RU",
  hasTouch: true,
});
await context.addInitScript(() => localStorage.setItem("signed_in", "1"));
await context.addInitScript(markSummary);
const card = await signIn();

for (const slow of [false, true]) {
  const cold = [];
  const own = [];
  const pressed = [];
  let loaded = { requests: 0, bytes: 0 };
  for (let run = 0; run < RUNS; run++) {
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.clearBrowserCache");
    if (slow) {
      await session.send("Network.emulateNetworkConditions", SLOW_4G);
      await session.send("Emulation.setCPUThrottlingRate", { rate: CPU });
    }
    loaded = { requests: 0, bytes: 0 };
    const asked = new Map();
    session.on("Network.requestWillBeSent", ({ requestId, request, timestamp }) => {
      asked.set(requestId, { path: new URL(request.url).pathname, from: timestamp });
    });
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength, timestamp }) => {
      loaded.requests += 1;
      loaded.bytes += encodedDataLength;
      Object.assign(asked.get(requestId) ?? {}, { to: timestamp, bytes: encodedDataLength });
    });
    cold.push(
      await taken(
        () => page.goto(`/cards/${card}/summary`, { waitUntil: "commit" }),
        summary(page),
      ),
    );
    const mark = await page.waitForFunction(
      () => performance.getEntriesByName("summary")[0]?.startTime,
    );
    own.push(await mark.jsonValue());
    const first = { ...loaded, asked: [...asked.values()] };
    await session.send("Network.clearBrowserCache");
    await page.goto("/clinics");
    await page.locator("a.panel").first().waitFor();
    pressed.push(await taken(() => page.locator("a.panel").first().click(), summary(page)));
    loaded = first;
    await page.close();
  }
  const how = slow ? "slow 4G, processor slowed 4 times" : "neither slowed";
  console.log(`${how}: the card opened first, nothing kept: ${median(cold)} ms`);
  console.log(`  by the page's own clock: ${median(own)} ms`);
  console.log(`  (${loaded.requests} requests, ${Math.round(loaded.bytes / 1024)} KB)`);
  if (slow) timeline(loaded.asked);
  console.log(`${how}: the card from the list of clinics: ${median(pressed)} ms`);
}
await browser.close();

/** What a person reads first of their card. */
function summary(page) {
  return page.locator("main section.panel").nth(2);
}

/** In the page: the frame in which the summary stands. What waits for it outside asks twice a second. */
function markSummary() {
  new MutationObserver((_, observer) => {
    if (document.querySelectorAll("main section.panel").length < 3) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => performance.mark("summary")));
  }).observe(document, { childList: true, subtree: true });
}

/** From when to when each request of the last run was under way, in milliseconds. */
function timeline(asked) {
  const began = Math.min(...asked.map(({ from }) => from));
  const since = (moment) => String(Math.round((moment - began) * 1000)).padStart(6);
  for (const { path, from, to, bytes } of asked) {
    const ended = to ? `${since(to)} ms ${(bytes / 1024).toFixed(1).padStart(6)} KB` : "     …";
    console.log(`  ${since(from)} …${ended}  ${path}`);
  }
}

async function taken(act, shown) {
  const began = performance.now();
  await Promise.all([act(), shown.waitFor()]);
  return performance.now() - began;
}

function median(values) {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0);
}

/** The first demo patient's session, as a cookie of the context; the id of their card. */
async function signIn() {
  const headers = { "X-Client": "web", Origin: PORTAL };
  const post = async (path, data) => (await context.request.post(path, { data, headers })).json();
  const get = async (path, more = {}) =>
    (await context.request.get(path, { headers: more })).json();
  const who = (await get("/_local/demo")).accounts[0];
  const to = `/_local/outbox?to=${encodeURIComponent(who.login)}`;
  const seen = (await get(to)).length;
  const { challenge_id } = await post("/v1/auth/login", {
    login: who.login,
    password: who.password,
  });
  await context.request.post(`/v1/auth/challenges/${challenge_id}/send`, {
    data: { method: "sms" },
    headers,
  });
  for (;;) {
    const messages = await get(to);
    const code = /\b\d{6}\b/.exec(messages[0]?.text ?? "")?.[0];
    if (messages.length > seen && code) {
      const given = { method: "sms", code };
      const { access_token } = await post(`/v1/auth/challenges/${challenge_id}/verify`, given);
      const cards = await get("/v1/cards", { Authorization: `Bearer ${access_token}` });
      return cards.items[0].card_id;
    }
    await new Promise((wait) => setTimeout(wait, 200));
  }
}
