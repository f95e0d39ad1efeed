import { useMutation } from "@tanstack/react-query";
import type { HTMLInputTypeAttribute, ReactNode } from "react";
import {
  Button,
  FieldError,
  Form,
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

/** A form that waits for its act, shows what the service found wrong, and where. */
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
  const asked = useMutation({ mutationFn: act });
  const fields = asked.error ? problemOf(asked.error).fields : {};
  return (
    <Form
      className="form"
      validationErrors={fields}
      onSubmit={(event) => {
        event.preventDefault();
        const values = Object.fromEntries(new FormData(event.currentTarget)) as typeof fields;
        asked.mutate(values);
      }}
    >
      {children}
      {asked.error && <ProblemNotice error={asked.error} />}
      <div className="actions">
        <Button type="submit" className="button" isPending={asked.isPending}>
          {asked.isPending ? t("state.sending") : submit}
        </Button>
        {second}
      </div>
    </Form>
  );
}

interface FieldProps extends Omit<TextFieldProps, "children" | "type"> {
  label: string;
  hint?: string;
  type?: HTMLInputTypeAttribute;
  rows?: number;
}

/** A labelled field; what is wrong with it is said below it. */
export function Field({ label, hint, type, rows, ...props }: FieldProps) {
  return (
    <TextField {...props} type={type as TextFieldProps["type"]} className="field">
      <Label>{label}</Label>
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      {rows ? <TextArea rows={rows} /> : <Input />}
      <FieldError className="field-error">
        {({ validationDetails, validationErrors }) => {
          if (validationDetails.valueMissing) return t("field.missing");
          if (validationDetails.customError) return validationErrors.join(" ");
          return validationErrors.length > 0 ? t("field.wrong") : "";
        }}
      </FieldError>
    </TextField>
  );
}
