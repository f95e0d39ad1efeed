import { createRoot } from "react-dom/client";
import { App } from "./app";
import { loadTexts } from "./texts";

/** Put the application into the page. */
export async function show(): Promise<void> {
  await loadTexts();
  const page = document.getElementById("page");
  if (page) createRoot(page).render(<App />);
}
