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
const Wrong = createContext({ errors: {} as Record<string, string>, clear: (_name: string) => {} });

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
    const values = Object.fromEntries(new FormData(form.current ?? undefined));
    const required = form.current?.querySelectorAll<HTMLInputElement>("[required]") ?? [];
    const missing = [...required].filter(({ value }) => !value.trim()).map(({ name }) => name);
    setErrors(Object.fromEntries(missing.map((name) => [name, t("field.missing")])));
    if (missing.length === 0) asked.mutate(values as Record<string, string>);
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
}

/** A labelled field; what is wrong with it is said below it. */
export function Field({ label, hint, type, rows, name = "", ...props }: FieldProps) {
  const { errors, clear } = useContext(Wrong);
  const wrong = errors[name];
  return (
    <TextField
      {...props}
      name={name}
      type={type as TextFieldProps["type"]}
      isInvalid={Boolean(wrong)}
      onChange={() => clear(name)}
      className="field"
    >
      <Label>{label}</Label>
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      {rows ? <TextArea rows={rows} /> : <Input />}
      <FieldError className="field-error">{wrong}</FieldError>
    </TextField>
  );
}
