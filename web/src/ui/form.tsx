import { useMutation } from "@tanstack/react-query";
import {
  createContext,
  type HTMLInputTypeAttribute,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
import {
  Button,
  FieldError,
  Input,
  Label,
  Text,
  TextArea,
  TextField,
  type TextFieldProps,
} from "react-aria-components";
import { problemOf } from "../api/problem";
import { t } from "../texts";
import { ProblemNotice } from "./states";

/** What is wrong with which field; typing into it takes that back. */
export const Wrong = createContext({
  errors: {} as Record<string, string>,
  clear: (_name: string) => {},
});

/** A form that waits for its act, shows what is missing or was found wrong, and where. */
export function AskForm({
  act,
  submit,
  children,
  second,
}: {
  act: (values: Record<string, string>) => Promise<unknown>;
  submit: string;
  children?: ReactNode;
  second?: ReactNode;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const asked = useMutation({
    mutationFn: act,
    onError: (error) => setErrors(problemOf(error).fields),
  });
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [errors]);
  const send = () => {
    const values: Record<string, string> = {};
    const wrong: Record<string, string> = {};
    for (const [name, value] of new FormData(form.current ?? undefined)) {
      const input = form.current?.elements.namedItem(name);
      if (typeof value !== "string") continue;
      values[name] = value;
      if (!(input instanceof HTMLElement)) continue; // one of several choices
      values[name] = input.dataset.day && value ? isoDay(value) : value;
      if (input.hasAttribute("required") && !value.trim()) wrong[name] = t("field.missing");
      else if (value && !values[name]) wrong[name] = t("field.day");
    }
    for (const input of form.current?.querySelectorAll<HTMLInputElement>("input:required") ?? []) {
      const marked = input.type === "checkbox" || input.type === "radio";
      if (marked && !(input.name in values)) wrong[input.name] = t("field.missing");
    }
    setErrors(wrong);
    if (Object.keys(wrong).length === 0) asked.mutate(values);
  };
  return (
    <form
      ref={form}
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!asked.isPending) send();
      }}
    >
      <Wrong
        value={{ errors, clear: (name) => name in errors && setErrors({ ...errors, [name]: "" }) }}
      >
        {children}
      </Wrong>
      {asked.error && <ProblemNotice error={asked.error} />}
      <div className="actions">
        <Button type="submit" className="button" data-busy={asked.isPending || undefined}>
          {asked.isPending ? t("state.sending") : submit}
        </Button>
        {second}
      </div>
    </form>
  );
}

interface FieldProps extends Omit<TextFieldProps, "children" | "type"> {
  label: string;
  hint?: string;
  type?: HTMLInputTypeAttribute;
  rows?: number;
  /** A day as people write it, 17.04.1981; its form gives 1981-04-17. */
  day?: boolean;
}

/** A labelled field; what is wrong with it is said below it. */
export function Field({ label, hint, type, rows, day, name = "", ...props }: FieldProps) {
  const { errors, clear } = useContext(Wrong);
  const wrong = errors[name];
  return (
    <TextField
      {...props}
      name={name}
      type={type as TextFieldProps["type"]}
      inputMode={day ? "numeric" : props.inputMode}
      isInvalid={Boolean(wrong)}
      onChange={(value) => {
        clear(name);
        props.onChange?.(value);
      }}
      className="field"
    >
      <Label>{label}</Label>
      {(hint || day) && (
        <Text slot="description" className="hint">
          {hint ?? t("field.day.hint")}
        </Text>
      )}
      {rows ? <TextArea rows={rows} /> : <Input data-day={day || undefined} />}
      <FieldError className="field-error">{wrong}</FieldError>
    </TextField>
  );
}

/** 17.04.1981, 17/4/1981, 17041981 or what browsers fill in, as 1981-04-17; empty when no day. */
function isoDay(written: string): string {
  const parts =
    /^\s*(?<day>\d{1,2})\D*(?<month>\d{2}|(?<=\D)\d)\D*(?<year>\d{4})\s*$/.exec(written) ??
    /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})$/.exec(written);
  const { day = "", month = "", year = "" } = parts?.groups ?? {};
  const iso = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  const read = new Date(iso);
  return Number.isNaN(read.getTime()) || read.toISOString().slice(0, 10) !== iso ? "" : iso;
}

/** 1981-04-17 as 17.04.1981. */
export function writtenDay(iso: string): string {
  return iso.split("-").reverse().join(".");
}
