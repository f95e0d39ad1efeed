import labels from "../../functions/kernel/texts/en.json";
import type { TextKey } from "./texts";
import own from "./texts/en.json";

export const texts: Record<TextKey, string> = { ...labels, ...own };
