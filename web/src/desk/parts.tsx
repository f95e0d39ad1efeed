/** Parts of the desk's forms and lists. */

import { type ReactNode, useContext, useId, useState } from "react";
import { Button } from "react-aria-components";
import { cache, type Schemas } from "../api/client";
import { t } from "../texts";
import { Dialog } from "../ui/dialog";
import { AskForm, Field, Wrong } from "../ui/form";
import { Notice } from "../ui/states";
import { d } from "./texts";

export const today = () => {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
};

export const fullName = (person: {
  last_name: string;
  first_name: string;
  middle_name?: string | null;
}) => [person.last_name, person.first_name, person.middle_name].filter(Boolean).join(" ");

export function SnilsField({ label, autoFocus }: { label?: string; autoFocus?: boolean }) {
  return (
    <Field
      name="snils"
      label={label ?? d("snils")}
      hint={d("snils.hint")}
      inputMode="numeric"
      autoComplete="off"
      maxLength={20}
      isRequired
      autoFocus={autoFocus}
    />
  );
}

/** One of a few, all of them in sight. */
export function Choice({
  name,
  label,
  options,
  chosen,
}: {
  name: string;
  label: string;
  options: [value: string, text: string][];
  chosen?: string;
}) {
  const { said, clear, wrong } = useWrong(name);
  return (
    <fieldset aria-describedby={wrong.id}>
      <legend>{label}</legend>
      {options.map(([value, text]) => (
        <label key={value} className="choice">
          <input
            type="radio"
            name={name}
            value={value}
            defaultChecked={value === chosen}
            required
            onChange={clear}
          />
          {text}
        </label>
      ))}
      {said}
    </fieldset>
  );
}

/** What is wrong with a field that is no text, where its form says so. */
function useWrong(name: string) {
  const id = useId();
  const { errors, clear } = useContext(Wrong);
  const found = errors[name];
  return {
    clear: () => clear(name),
    wrong: found ? { id, invalid: true } : {},
    said: found && (
      <p id={id} className="field-error">
        {found}
      </p>
    ),
  };
}

/** One of many, in the browser's own list. */
export function Select({
  name,
  label,
  options,
  chosen,
  change,
}: {
  name: string;
  label: string;
  options: [value: string, text: string][];
  chosen?: string;
  change?: (value: string) => void;
}) {
  const id = useId();
  const value = change
    ? {
        value: chosen,
        onChange: (event: { target: { value: string } }) => change(event.target.value),
      }
    : { defaultValue: chosen };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} name={name} {...value}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Check({
  name,
  children,
  checked,
  required,
}: {
  name: string;
  children: ReactNode;
  checked?: boolean;
  required?: boolean;
}) {
  const { said, clear, wrong } = useWrong(name);
  return (
    <div>
      <label className="choice">
        <input
          type="checkbox"
          name={name}
          defaultChecked={checked}
          aria-required={required}
          aria-invalid={wrong.invalid}
          aria-describedby={wrong.id}
          onChange={clear}
        />
        <span>{children}</span>
      </label>
      {said}
    </div>
  );
}

/** A button that opens a form; it closes when the form's act succeeded. */
export function FormDialog({
  open,
  title,
  submit,
  act,
  kind = "button button-second",
  children,
}: {
  open: string;
  title: string;
  submit: string;
  act: (values: Record<string, string>) => Promise<unknown>;
  kind?: string;
  children: ReactNode;
}) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Button className={kind} onPress={() => setAsking(true)}>
        {open}
      </Button>
      {asking && (
        <Dialog title={title} close={() => setAsking(false)}>
          <AskForm
            submit={submit}
            act={async (values) => {
              await act(values);
              setAsking(false);
              await cache.invalidateQueries();
            }}
            second={
              <Button className="button button-second" onPress={() => setAsking(false)}>
                {t("state.cancel")}
              </Button>
            }
          >
            {children}
          </AskForm>
        </Dialog>
      )}
    </>
  );
}

/** Says that something was done, to screen readers too. */
export function Done({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div role="status">
      <Notice tone="good" title={title}>
        {children}
      </Notice>
    </div>
  );
}

/** Whether a patient agreed that the clinic works with their card electronically. */
export function ConsentState({ consent }: { consent: Schemas["PatientFound"]["consent"] }) {
  const tone = consent === "given" ? "flag flag-good" : "flag flag-warning";
  return <span className={tone}>{d(`consent.${consent}`)}</span>;
}
