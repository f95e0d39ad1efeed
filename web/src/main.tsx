import "@fontsource-variable/golos-text";
import "./style/base.css";
import "./style/parts.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { I18nProvider } from "react-aria-components";
import { createRoot } from "react-dom/client";
import { cache } from "./api/client";
import { App } from "./app";
import { language, loadTexts } from "./texts";

await loadTexts();
const page = document.getElementById("page");
if (page) {
  createRoot(page).render(
    <I18nProvider locale={language}>
      <QueryClientProvider client={cache}>
        <App />
      </QueryClientProvider>
    </I18nProvider>,
  );
}
