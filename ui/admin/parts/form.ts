// Forms: their values, what the server said about each field, and the fields themselves.
import { useId, useRef, useState } from 'preact/hooks';
import { type ComponentChildren, html } from '../../shared/html.ts';
import { parseMoney } from '../../shared/units.ts';
import { ApiError, asApiError } from '../api.ts';
import { Icon } from './icon.ts';

export type Values = Record<string, string>;

export interface Form {
  values: Values;
  errors: Record<string, string>;
  problem: ApiError | undefined;
  busy: boolean;
  set: (name: string, value: string) => void;
  reset: (values: Values) => void;
  /** Runs `act`; an ApiError lands next to its field or on top, and the first bad field gets the focus. */
  submit: (act: (values: Values) => Promise<void>) => Promise<void>;
}

export function useForm(initial: Values): Form {
  const [values, setValues] = useState(initial);
  const [problem, setProblem] = useState<ApiError | undefined>();
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const running = useRef(false);

  const set = (name: string, value: string) => {
    setValues((now) => ({ ...now, [name]: value }));
    setErrors(({ [name]: _gone, ...rest }) => rest);
  };
  const submit = async (act: (values: Values) => Promise<void>) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setProblem(undefined);
    setErrors({});
    try {
      await act(values);
    } catch (failure) {
      const error = asApiError(failure);
      setProblem(error);
      setErrors(error.fields);
      window.requestAnimationFrame(() =>
        document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus(),
      );
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { values, errors, problem, busy, set, reset: setValues, submit };
}

/** What the page itself finds wrong, in the shape of a server's answer. */
export function invalid(fields: Record<string, string>): ApiError {
  return new ApiError(400, 'invalid', 'Some fields need another look.', undefined, fields);
}

/** Shillings typed into the field `name`, as cents. @throws what the field then shows */
export function centsOf(values: Values, name: string): number {
  const cents = parseMoney(values[name] ?? '');
  if (cents === undefined) throw invalid({ [name]: 'Write an amount, like 500.' });
  return cents;
}

/** The form's own message, on top, unless all of it is already said next to the fields. */
export function Problem({ form }: { form: Form }) {
  const { problem } = form;
  if (!problem) return null;
  const fields = Object.keys(problem.fields);
  if (fields.length > 0 && fields.every((name) => name in form.values)) return null;
  return html`<div class="problem" role="alert">
    <${Icon} name="warning" />
    <p>${problem.message}${problem.hint && html`<small>${problem.hint}</small>`}</p>
  </div>`;
}

interface FieldProps {
  form: Form;
  name: string;
  label: string;
  hint?: ComponentChildren;
  type?: string;
  inputmode?: string;
  placeholder?: string;
  autocomplete?: string;
  prefix?: string;
  suffix?: string;
  required?: boolean;
  autofocus?: boolean;
  maxlength?: number;
  rows?: number;
  mono?: boolean;
  options?: [value: string, label: string][];
  /** Choices of the unit at the right of an amount; its value lives in `unit`. */
  units?: string[];
  unit?: string;
  disabled?: boolean;
}

/** One labelled field: text by default, a choice with `options`, a text area with `rows`, an amount with `units`. */
export function Field(props: FieldProps) {
  const { form, name, label, hint } = props;
  const id = useId();
  const error = form.errors[name];
  const described =
    [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ') || undefined;
  const onInput = (event: Event) => form.set(name, (event.target as HTMLInputElement).value);
  const shared = {
    id,
    name,
    onInput,
    value: form.values[name] ?? '',
    required: props.required,
    disabled: props.disabled,
    'aria-invalid': error ? 'true' : undefined,
    'aria-describedby': described,
  };
  return html`<div class=${`field ${error ? 'has-error' : ''}`}>
    <label class="label" for=${id}>
    ${label}${props.required === false && html` <span class="muted">optional</span>`}</label>
    ${control(props, shared)}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

function control(props: FieldProps, shared: Record<string, unknown>) {
  const { form } = props;
  if (props.options) return html`<${Choice} ...${shared} options=${props.options} />`;
  if (props.rows)
    return html`<textarea class=${`input ${props.mono ? 'mono' : ''}`} rows=${props.rows}
      maxlength=${props.maxlength} ...${shared}></textarea>`;
  const input = html`<input
    class=${`input ${props.mono ? 'mono' : ''}`}
    type=${props.type ?? 'text'}
    inputmode=${props.inputmode}
    placeholder=${props.placeholder}
    autocomplete=${props.autocomplete ?? 'off'}
    autocapitalize=${props.type === 'email' || props.mono ? 'off' : undefined}
    spellcheck=${props.mono ? false : undefined}
    autofocus=${props.autofocus}
    maxlength=${props.maxlength}
    ...${shared}
  />`;
  if (props.units && props.unit) {
    const unit = props.unit;
    return html`<div class="joined">
      ${input}
      <${Choice} value=${form.values[unit]} aria-label=${`${props.label}: unit`}
        options=${props.units.map((name) => [name, name])}
        onInput=${(event: Event) => form.set(unit, (event.target as HTMLSelectElement).value)} />
    </div>`;
  }
  if (!props.prefix && !props.suffix) return input;
  return html`<div class="joined">
    ${
      props.prefix &&
      html`<span class="affix">${props.prefix}
    </span>`
    }${input}${props.suffix && html`<span class="affix">${props.suffix}</span>`}
  </div>`;
}

/** A native select with our own arrow. */
export function Choice(props: { options: [string, string][]; value?: string; [attribute: string]: unknown }) {
  const { options, value, ...rest } = props;
  return html`<span class="choice">
    <select class="input" ...${rest} value=${value}>
      ${options.map(
        ([option, label]) => html`<option key=${option} value=${option}
        selected=${option === value}>${label}</option>`,
      )}
    </select>
    <${Icon} name="down" />
  </span>`;
}

/** Wraps fields in a form that submits through `form`. */
export function FormBox(props: {
  form: Form;
  act: (values: Values) => Promise<void>;
  class?: string;
  children: ComponentChildren;
}) {
  return html`<form
    class=${`form ${props.class ?? ''}`}
    novalidate
    onSubmit=${(event: Event) => {
      event.preventDefault();
      void props.form.submit(props.act);
    }}
  >
    <${Problem} form=${props.form} />
    ${props.children}
  </form>`;
}
