import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useParams } from "wouter";
import { client, type Schemas } from "../api/client";
import { problemOf } from "../api/problem";
import { moment, type TextKey, t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { Fact } from "../ui/records";
import { Loaded, Notice, ProblemNotice } from "../ui/states";

type Verification = Schemas["Verification"];

/** Is this paper genuine: by its code, and by its file, which never leaves the browser. */
export default function Verify() {
  const { code } = useParams();
  const [, go] = useLocation();
  return (
    <Page title={t("verify.title")}>
      <p className="lead">{t("verify.lead")}</p>
      <div className="panels">
        <section className="panel">
          <h2>{t("verify.by_code")}</h2>
          <AskForm
            key={code}
            submit={t("verify.submit")}
            act={async ({ code: entered = "" }) =>
              go(`/verify/${encodeURIComponent(entered.replace(/[\s-]/g, ""))}`)
            }
          >
            <Field
              name="code"
              label={t("extracts.code")}
              hint={t("verify.code.hint")}
              defaultValue={code}
              autoComplete="off"
              isRequired
            />
          </AskForm>
          {code && <ByCode code={code} />}
        </section>
        <ByFile />
      </div>
    </Page>
  );
}

async function found(ask: () => Promise<{ data?: Verification }>): Promise<Verification | null> {
  try {
    return (await ask()).data ?? null;
  } catch (error) {
    if (problemOf(error).code === "not_found") return null;
    throw error;
  }
}

function ByCode({ code }: { code: string }) {
  const verification = useQuery({
    queryKey: ["verify", code],
    queryFn: () =>
      found(() =>
        client.GET("/v1/verify/{verification_code}", {
          params: { path: { verification_code: code } },
        }),
      ),
  });
  return (
    <Loaded query={verification}>
      {(told) =>
        told ? (
          <Told verification={told}>{t("verify.only_file")}</Told>
        ) : (
          <Notice tone="bad" title={t("verify.no_code")}>
            <p>{t("verify.no_code.detail")}</p>
          </Notice>
        )
      }
    </Loaded>
  );
}

function ByFile() {
  const [name, setName] = useState("");
  const checked = useMutation({
    mutationFn: async (file: File) => {
      setName(file.name);
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      const sha256 = [...new Uint8Array(digest)]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join("");
      return found(() => client.POST("/v1/verify", { body: { sha256 } }));
    },
  });
  const [over, setOver] = useState(false);
  const { data, error, mutate } = checked;
  const check = (files: FileList | null) => files?.[0] && mutate(files[0]);
  return (
    <section className="panel">
      <h2>{t("verify.by_file")}</h2>
      <p>{t("verify.file.stays")}</p>
      {/* The input is the way by keyboard; dropping is for those with a mouse. */}
      <label
        className={over ? "drop drop-over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          check(event.dataTransfer.files);
        }}
      >
        {t("verify.drop")}
        <span className="button button-second">{t("verify.choose")}</span>
        <input
          type="file"
          accept="application/pdf"
          className="only-read"
          onChange={(event) => check(event.target.files)}
        />
      </label>
      {error && <ProblemNotice error={error} />}
      {data && <Told verification={data}>{t("verify.same_file", { name })}</Told>}
      {data === null && (
        <Notice tone="bad" title={t("verify.forged")}>
          <p>{t("verify.forged.detail", { name })}</p>
        </Notice>
      )}
    </section>
  );
}

function Told({ verification, children }: { verification: Verification; children: string }) {
  const { status, kind, clinic, issued_at } = verification;
  return (
    <Notice tone={status === "valid" ? "good" : "warning"} title={t(`verify.${status}`)}>
      <dl className="facts">
        <Fact name={t("verify.kind")}>{t(`extract.kind.${kind}` as TextKey)}</Fact>
        <Fact name={t("record.clinic")}>{clinic.name}</Fact>
        <Fact name={t("verify.issued")}>{moment(issued_at)}</Fact>
      </dl>
      <p>{children}</p>
    </Notice>
  );
}
