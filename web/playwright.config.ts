import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

// PORTAL=http://localhost:8080 tests a stack that runs already.
const own = "http://localhost:8344";
const baseURL = process.env.PORTAL ?? own;
const chromium = "/usr/bin/chromium"; // Debian's; elsewhere Playwright's own is used

const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };
const launchOptions = existsSync(chromium) ? { executablePath: chromium } : {};

// Not in the ordinary run, see README.md: EVERY=1 adds them, and so do the pictures.
const every = process.env.EVERY || process.env.SCREENSHOTS;
const more = [
  {
    name: "phone-en",
    testMatch: "screens.spec.ts",
    use: { viewport: phone, locale: "en-GB", hasTouch: true },
  },
  {
    name: "narrow-dark-ru",
    testMatch: "screens.spec.ts",
    use: {
      viewport: { width: 320, height: 640 },
      locale: "ru-RU",
      colorScheme: "dark",
      contextOptions: { contrast: "more", reducedMotion: "reduce" },
    },
  },
];

export default defineConfig({
  testDir: "tests",
  workers: 1,
  timeout: 600_000,
  expect: { timeout: 60_000 },
  // A machine that stalls for a minute is no finding; the list says "flaky", and which.
  retries: process.env.CI ? 2 : 0,
  reporter: [["list"]],
  use: { baseURL, launchOptions, trace: "on-first-retry" },
  // All of it once at each width and in each language, on two of the four combinations.
  projects: [
    { name: "phone-ru", use: { viewport: phone, locale: "ru-RU", hasTouch: true } },
    { name: "desktop-en", use: { viewport: desktop, locale: "en-GB" } },
    {
      name: "desktop-ru",
      grep: /from the catalogue to the extract/,
      use: { viewport: desktop, locale: "ru-RU" },
    },
    {
      name: "walk-large-ru",
      testMatch: "walk.spec.ts",
      // Text at 200 %, as a browser's own setting makes it.
      use: {
        viewport: phone,
        locale: "ru-RU",
        launchOptions: { ...launchOptions, args: ["--blink-settings=defaultFontSize=32"] },
      },
    },
    {
      name: "walk-forced-en",
      testMatch: "walk.spec.ts",
      use: {
        viewport: desktop,
        locale: "en-GB",
        colorScheme: "dark",
        contextOptions: { forcedColors: "active", contrast: "more", reducedMotion: "reduce" },
      },
    },
    ...(every ? more : []),
  ],
  webServer: process.env.PORTAL
    ? undefined
    : {
        command: "cd .. && exec .venv/bin/python -m local --port 8344",
        url: `${own}/_local/health`,
        timeout: 600_000,
        gracefulShutdown: { signal: "SIGTERM", timeout: 30_000 },
      },
});
