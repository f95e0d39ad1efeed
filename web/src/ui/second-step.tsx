import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { client, type Schemas } from "../api/client";
import { signWithPasskey } from "../api/passkey";
import { duration, phone, t } from "../texts";
import { AskForm, Field } from "./form";
import { ProblemNotice } from "./states";

type Method = Schemas["OfferedMethod"];

export interface Challenge {
  challenge_id: string;
  methods: Method[];
}

/** The code by text message, by the app, a recovery code, or a passkey. */
export function SecondStep({
  challenge,
  done,
}: {
  challenge: Challenge;
  done: (given: Schemas["SignedIn"]) => void;
}) {
  const [chosen, choose] = useState(challenge.methods[0]);
  if (!chosen) return <ProblemNotice error={null} />;
  const others = challenge.methods.filter((each) => each.method !== chosen.method);
  const verify = async (body: Schemas["auth__models__Verify"]) => {
    const path = { challenge_id: challenge.challenge_id };
    const { data } = await client.POST("/v1/auth/challenges/{challenge_id}/verify", {
      params: { path },
      body,
    });
    if (data) done(data);
  };
  return (
    <>
      {chosen.method === "passkey" ? (
        <ByPasskey key="passkey" challenge={challenge.challenge_id} verify={verify} />
      ) : (
        <AskForm
          key={chosen.method}
          submit={t("second.submit")}
          act={({ code = "" }) => verify({ method: chosen.method, code: code.replace(/\s/g, "") })}
        >
          {chosen.method === "sms" && <Sms challenge={challenge.challenge_id} hint={chosen.hint} />}
          <Field
            name="code"
            label={t(`second.${chosen.method}.label`)}
            hint={chosen.method === "sms" ? undefined : t(`second.${chosen.method}.hint`)}
            autoComplete="one-time-code"
            inputMode={chosen.method === "recovery_code" ? "text" : "numeric"}
            maxLength={chosen.method === "recovery_code" ? undefined : 7}
            isRequired
            autoFocus
          />
        </AskForm>
      )}
      {others.length > 0 && (
        <section className="others" aria-label={t("second.others")}>
          <h2>{t("second.others")}</h2>
          {others.map((each) => (
            <Button key={each.method} className="link" onPress={() => choose(each)}>
              {t(`second.${each.method}.choose`)}
            </Button>
          ))}
        </section>
      )}
    </>
  );
}

/** Sends the text message at once, and again when the wait is over. */
function Sms({ challenge, hint }: { challenge: string; hint?: string | null }) {
  const [left, setLeft] = useState(0);
  const sent = useMutation({
    mutationFn: async () => {
      const { data } = await client.POST("/v1/auth/challenges/{challenge_id}/send", {
        params: { path: { challenge_id: challenge } },
        body: { method: "sms" },
      });
      return data && "resend_in" in data ? data.resend_in : 0;
    },
    onSuccess: setLeft,
  });
  const { mutate } = sent;
  useEffect(() => mutate(), [mutate]);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return (
    <div>
      <p role="status">
        {sent.isSuccess
          ? t("second.sms.sent", { phone: phone(hint ?? "") })
          : t("second.sms.sending")}
      </p>
      {sent.error && <ProblemNotice error={sent.error} again={() => mutate()} />}
      {sent.isSuccess &&
        (left > 0 ? (
          <p className="quiet">{t("second.sms.wait", { time: duration(left) })}</p>
        ) : (
          <Button className="link" onPress={() => mutate()}>
            {t("second.sms.again")}
          </Button>
        ))}
    </div>
  );
}

function ByPasskey({
  challenge,
  verify,
}: {
  challenge: string;
  verify: (body: Schemas["auth__models__Verify"]) => Promise<void>;
}) {
  const act = async () =>
    verify({ method: "passkey", credential: await signWithPasskey(challenge) });
  return (
    <AskForm submit={t("second.passkey.submit")} act={act}>
      <p>{t("second.passkey.hint")}</p>
    </AskForm>
  );
}
