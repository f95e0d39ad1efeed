import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const FIRST_LOAD_LIMIT = 150 * 1024; // bytes of script, gzip
const API = process.env.API ?? "http://localhost:8080";

export default defineConfig({
  plugins: [labels(), react(), firstLoad()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What screens share comes in one file: each file is a way there and back on a slow network.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [{ name: "shared", test: /\/src\/(ui|api)\//, minShareCount: 3 }],
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

/** Fails the build when any page, opened first, would load more script than the limit. */
function firstLoad(): Plugin {
  return {
    name: "first-load",
    generateBundle(_options, bundle) {
      const sizeOf = (names: Set<string>) =>
        [...names].reduce((sum, name) => {
          const chunk = bundle[name];
          return sum + (chunk?.type === "chunk" ? gzipSync(chunk.code).length : 0);
        }, 0);
      const withImports = (name: string, found = new Set<string>()) => {
        const chunk = bundle[name];
        if (chunk?.type !== "chunk" || found.has(name)) return found;
        found.add(name);
        for (const each of chunk.imports) withImports(each, found);
        return found;
      };
      const chunks = Object.values(bundle).filter((each) => each.type === "chunk");
      const entry = chunks.find((chunk) => chunk.isEntry);
      if (!entry) return;
      const loads = entry.dynamicImports.map((screen) => ({
        screen,
        bytes: sizeOf(withImports(screen, withImports(entry.fileName))),
      }));
      const heaviest = loads.reduce((a, b) => (a.bytes > b.bytes ? a : b));
      const said = `${(heaviest.bytes / 1024).toFixed(1)} KB of script (gzip), at ${heaviest.screen}`;
      if (heaviest.bytes > FIRST_LOAD_LIMIT) this.error(`First load is too heavy: ${said}`);
      this.info(`Heaviest first load: ${said}`);
    },
  };
}
