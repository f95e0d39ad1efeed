import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { cache } from "../api/client";
import { t } from "../texts";
import { Dialog } from "./dialog";
import { ProblemNotice } from "./states";

/** A button that does something at once, or after a question where `ask` holds one. */
export function Act({
  text,
  about,
  act,
  ask,
  kind = "button button-second",
}: {
  text: string;
  /** What the text leaves to the eye, for screen readers: which of several it is about. */
  about?: string;
  act: () => Promise<unknown>;
  ask?: { title: string; body: ReactNode };
  kind?: string;
}) {
  const [asking, setAsking] = useState(false);
  const done = useMutation({
    mutationFn: act,
    onSuccess: () => setAsking(false),
    // What was read before may not hold any more.
    onSettled: () => cache.invalidateQueries(),
  });
  const begin = () => done.isPending || done.mutate();
  const problem = done.error && <ProblemNotice error={done.error} again={() => done.mutate()} />;
  return (
    <>
      <Button
        className={kind}
        data-busy={done.isPending || undefined}
        onPress={() => (ask ? setAsking(true) : begin())}
      >
        {done.isPending ? t("state.sending") : text}
        {about && <span className="only-read"> {about}</span>}
      </Button>
      {!asking && problem}
      {asking && ask && (
        <Dialog title={ask.title} close={() => setAsking(false)}>
          {ask.body}
          {problem}
          <div className="actions">
            <Button
              className="button button-danger"
              data-busy={done.isPending || undefined}
              onPress={begin}
            >
              {done.isPending ? t("state.sending") : text}
            </Button>
            <Button className="button button-second" onPress={() => setAsking(false)}>
              {t("state.cancel")}
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}
