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
  const [found, setFound] = useState<Record<string, string>>({});
  const [mended, setMended] = useState<string[]>([]);
  const asked = useMutation({
    mutationFn: act,
    onError: (error) => tell(problemOf(error).fields),
  });
  const tell = (wrong: Record<string, string>) => {
    setFound(wrong);
    setMended([]);
  };
  // Where something was found, and not again while it is mended: the next field would take the focus.
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [found]);
  const errors = Object.fromEntries(
    Object.entries(found).filter(([name]) => !mended.includes(name)),
  );
  const send = () => {
    const values: Record<string, string> = {};
    const wrong: Record<string, string> = {};
    for (const [name, value] of new FormData(form.current ?? undefined)) {
      const input = form.current?.elements.namedItem(name);
      if (typeof value !== "string") continue;
      values[name] = value;
      if (!(input instanceof HTMLElement)) continue; // one of several choices
      values[name] = input.dataset.day && value ? isoDay(value) : value;
      if (input.ariaRequired === "true" && !value.trim()) wrong[name] = t("field.missing");
      else if (value && !values[name]) wrong[name] = t("field.day");
    }
    const marks = "[type=checkbox][aria-required=true], [type=radio]:required";
    for (const { name } of form.current?.querySelectorAll<HTMLInputElement>(marks) ?? []) {
      if (!(name in values)) wrong[name] = t("field.missing");
    }
    tell(wrong);
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
      <Wrong value={{ errors, clear: (name) => name in errors && setMended([...mended, name]) }}>
        {children}
      </Wrong>
      {/* Heard where the focus stays in the field that it was in. */}
      <p role="status" className="only-read">
        {Object.keys(errors).length > 0 && t("field.check")}
      </p>
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
      validationBehavior="aria" // an empty `required` one is called invalid before anything is typed
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
