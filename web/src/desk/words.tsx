import { type ReactNode, useContext } from "react";
import { Link } from "wouter";
import type { Problem } from "../api/problem";
import { OtherWords } from "../ui/states";
import { d, dMaybe } from "./texts";

/** What a refusal means to a worker in this act, where it is not what it means to a patient. */
export function Words({ of, children }: { of: string; children: ReactNode }) {
  const outer = useContext(OtherWords);
  const words = (problem: Problem) => {
    const title = dMaybe(`${of}.${problem.code}.title`);
    const detail = dMaybe(`${of}.${problem.code}.detail`);
    if (title === null || detail === null) return outer(problem);
    return { title, detail, way: <Way key={problem.code} of={of} code={problem.code} /> };
  };
  return <OtherWords value={words}>{children}</OtherWords>;
}

/** Where to go from a refusal, if anywhere. */
function Way({ of, code }: { of: string; code: string }) {
  if (of === "card" && (code === "forbidden" || code.startsWith("consent_"))) {
    return (
      <div className="actions">
        <Link href="/cards" className="button button-second">
          {d("cards.title")}
        </Link>
        <Link href="/emergency">{d("emergency.title")}</Link>
      </div>
    );
  }
  return null;
}
