import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button, DropZone, FileTrigger, Text } from "react-aria-components";
import { useLocation, useParams } from "wouter";
import { cache, client, type Schemas } from "../api/client";
import { Problem } from "../api/problem";
import { number, t } from "../texts";
import { Page } from "../ui/page";
import { ProblemNotice } from "../ui/states";
import { Outcome } from "./outcome";
import { because, usePurpose } from "./purpose";
import { d } from "./texts";
import { Words } from "./words";

const MB = 1024 * 1024;
const INLINE = 5 * MB;
const LARGEST = 50 * MB;

interface Given {
  file: File;
  cda: boolean;
}

/** Sends a FHIR Bundle or a CDA document into a card; what is large goes by upload. */
export default function Send() {
  const { card = "" } = useParams();
  const [, go] = useLocation();
  const [given, setGiven] = useState<Given>();
  const purpose = usePurpose();
  const params = { path: { card_id: card }, header: because(purpose) };

  const sent = useMutation({
    mutationFn: async ({ file, cda }: Given): Promise<Schemas["IntakeOutcome"] | null> => {
      if (file.size > (cda ? INLINE : LARGEST)) {
        throw new Problem(413, { code: cda ? "document_too_large" : "file_too_large" });
      }
      if (file.size > INLINE) {
        const { data } = await client.POST("/v1/clinic/cards/{card_id}/imports", { params });
        if (!data) throw new Problem(0, {});
        await upload(data.upload, file);
        go(`/cards/${card}/imports/${data.import_id}`);
        return null;
      }
      const body = await file.text();
      const type = cda ? "application/cda+xml" : "application/fhir+json";
      const path = cda ? "/v1/clinic/cards/{card_id}/cda" : "/v1/clinic/cards/{card_id}/fhir";
      const { data } = await client.POST(path, {
        params,
        headers: { "Content-Type": type },
        body: body as never,
        bodySerializer: (text: unknown) => text as string,
      });
      return data ?? null;
    },
    onSettled: () => cache.invalidateQueries(),
  });

  const take = async (file: File | undefined) => {
    sent.reset();
    if (!file) return;
    setGiven(undefined); // until this one is read, the one before must not be sent for it
    const start = (await file.slice(0, 200).text()).replace(/^\uFEFF/, "").trimStart();
    setGiven({ file, cda: start.startsWith("<") });
  };

  return (
    <Page title={d("send.title")} back={{ href: `/cards/${card}/summary`, text: d("send.back") }}>
      <p>{d("send.lead")}</p>
      <section className="panel">
        <DropZone
          className="drop"
          aria-label={d("send.drop")}
          onDrop={async ({ items }) => {
            for (const item of items) {
              if (item.kind === "file") await take(await item.getFile());
            }
          }}
        >
          <Text slot="label">{d("send.drop")}</Text>
          <FileTrigger
            acceptedFileTypes={[
              ".json",
              ".xml",
              "application/json",
              "application/fhir+json",
              "text/xml",
              "application/xml",
            ]}
            onSelect={(files) => void take(files?.[0])}
          >
            <Button className="button button-second">{d("send.choose")}</Button>
          </FileTrigger>
        </DropZone>
        {given && (
          <>
            <p role="status">
              {d(given.cda ? "send.is_cda" : "send.is_fhir", {
                name: given.file.name,
                size: number(Math.max(0.1, Math.round((given.file.size / MB) * 10) / 10)),
              })}
            </p>
            <div className="actions">
              <Button
                className="button"
                data-busy={sent.isPending || undefined}
                onPress={() => sent.isPending || sent.mutate(given)}
              >
                {sent.isPending ? t("state.sending") : d("send.submit")}
              </Button>
            </div>
          </>
        )}
        <Words of="intake">
          {sent.error && (
            <ProblemNotice error={sent.error} again={given && (() => sent.mutate(given))} />
          )}
          {sent.error instanceof Problem && Object.keys(sent.error.fields).length > 0 && (
            <ul>
              {Object.entries(sent.error.fields).map(([field, message]) => (
                <li key={field}>{field === "body" ? message : `${field}: ${message}`}</li>
              ))}
            </ul>
          )}
        </Words>
      </section>
      {sent.data && (
        <section className="panel">
          <h2>{d("outcome.title")}</h2>
          <Outcome counts={sent.data} />
        </section>
      )}
    </Page>
  );
}

/** Puts the file where the answer says, by the form that it gave; the file comes last. */
async function upload({ url, fields }: Schemas["ImportForm"], file: File): Promise<void> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file);
  const answer = await fetch(url, { method: "POST", body: form }).catch(() => {
    throw Problem.offline();
  });
  if (!answer.ok) throw new Problem(answer.status, { code: "upload_refused" });
}
