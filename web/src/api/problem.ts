import type { components } from "./schema";

type Known = components["schemas"]["Problem"];

/** An answer that is no success: RFC 9457, or nothing at all (`offline`). */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string | null;
  /** Seconds after which the request may be made again. */
  readonly retryAfter: number | null;
  readonly fields: Record<string, string>;
  readonly support: Known["support"] | null;

  constructor(status: number, said: Partial<Known>) {
    super(said.code ?? `status ${status}`);
    this.name = "Problem";
    this.status = status;
    this.code = said.code ?? "internal";
    this.title = said.title ?? "";
    this.detail = said.detail ?? "";
    this.requestId = said.request_id ?? null;
    this.retryAfter = said.retry_after ?? null;
    this.support = said.support ?? null;
    this.fields = Object.fromEntries((said.errors ?? []).map((each) => [each.field, each.message]));
  }

  static offline(): Problem {
    return new Problem(0, { code: "offline" });
  }

  static async of(response: Response): Promise<Problem> {
    try {
      const said: Known = await response.clone().json();
      const wait = Number(response.headers.get("Retry-After")) || undefined;
      return new Problem(response.status, { ...said, retry_after: said.retry_after ?? wait });
    } catch {
      return new Problem(response.status, {});
    }
  }
}

/** Whatever was thrown, as a problem that a person can be told. */
export function problemOf(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, {});
}
