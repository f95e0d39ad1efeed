import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type Rolldown } from "vite";

const FIRST_LOAD_LIMIT = 150 * 1024; // bytes of script, gzip
const API = process.env.API ?? "http://localhost:8080";

export default defineConfig({
  plugins: [labels(), react(), preloads(), firstLoad()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Few files, each with all that it needs and no other has: what runs first (src/start.ts), what
    // every page has, what cards are made of, what forms and dialogs are made of.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "start", test: /\/src\/start\.ts$/, priority: 4 },
            { name: "app", test: /\/src\/(app|ui\/page)\.tsx$|\/react-dom\//, priority: 3 },
            { name: "cards", test: /\/src\/ui\/(card-page|records|summary|pages)\./, priority: 2 },
            { name: "forms", test: /\/src\/ui\//, minShareCount: 3, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    // The API gives its cookie to its own origin only.
    proxy: { "/v1": { target: API, headers: { origin: API } }, "/_local": API },
  },
});

/** Of the functions' texts, the labels of codes that answers hold; the rest stays out. */
function labels(): Plugin {
  const kept = /^(role|level|kind|interpretation|criticality|sex|section|status)\./;
  return {
    name: "labels",
    enforce: "pre",
    transform(code, id) {
      if (!/functions.kernel.texts.\w+\.json$/.test(id)) return;
      const texts = Object.entries(JSON.parse(code));
      return JSON.stringify(Object.fromEntries(texts.filter(([key]) => kept.test(key))));
    },
  };
}

/** The page names what all screens need, so that the browser fetches it at once beside start. */
function preloads(): Plugin {
  return {
    name: "preloads",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle }) {
        if (!bundle) return html; // npm run dev
        const names = [...withImports(bundle, named(bundle, "main"))];
        const tags = names
          .filter((name) => !html.includes(name))
          .map((name) => ({
            tag: "link",
            attrs: { rel: "modulepreload", crossorigin: true, href: `/${name}` },
            injectTo: "head" as const,
          }));
        return { html: html.replace("<script async", '<script async fetchpriority="high"'), tags };
      },
    },
  };
}

/** Fails the build when any page, opened first, would load more script than the limit. */
function firstLoad(): Plugin {
  return {
    name: "first-load",
    generateBundle(_options, bundle) {
      const start = bundle[named(bundle, "start")];
      if (start?.type !== "chunk") return;
      if (start.imports.length > 0) this.error(`start waits for ${start.imports}`);
      const sizeOf = (names: Set<string>) =>
        [...names].reduce((sum, name) => {
          const chunk = bundle[name];
          return sum + (chunk?.type === "chunk" ? gzipSync(chunk.code).length : 0);
        }, 0);
      // What every page loads, the texts of another language included.
      const always = ["start", "main", "texts-en"].map((name) => named(bundle, name));
      const loads = start.dynamicImports.map((screen) => {
        const names = [...always, screen].flatMap((name) => [...withImports(bundle, name)]);
        return { screen, bytes: sizeOf(new Set(names)) };
      });
      const heaviest = loads.reduce((a, b) => (a.bytes > b.bytes ? a : b));
      const said = `${(heaviest.bytes / 1024).toFixed(1)} KB of script (gzip), at ${heaviest.screen}`;
      if (heaviest.bytes > FIRST_LOAD_LIMIT) this.error(`First load is too heavy: ${said}`);
      this.info(`Heaviest first load: ${said}`);
    },
  };
}

type Bundle = Rolldown.OutputBundle;

function named(bundle: Bundle, name: string): string {
  const chunk = Object.values(bundle).find((each) => each.type === "chunk" && each.name === name);
  if (!chunk) throw new Error(`The build has no ${name}`);
  return chunk.fileName;
}

/** A chunk's file and those that it cannot run without. */
function withImports(bundle: Bundle, name: string, found = new Set<string>()): Set<string> {
  const chunk = bundle[name];
  if (chunk?.type !== "chunk" || found.has(name)) return found;
  found.add(name);
  for (const each of chunk.imports) withImports(bundle, each, found);
  return found;
}
