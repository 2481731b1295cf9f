// The go-live checklist: each step with its test, what came of it, and what to do.

import { useEffect, useState } from 'preact/hooks';
import { type ComponentChildren, html } from '../../shared/html.ts';
import { post, put } from '../api.ts';
import { useLoad } from '../load.ts';
import { Button, Card, Failure, LinkButton, Loading, State, Time } from '../parts/basics.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Icon, type IconName } from '../parts/icon.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { GoLiveAnswer, GoLiveResult, GoLiveStep } from '../types.ts';

/** While a prompt is on a phone, the page looks again. */
const LOOK_MS = 2000;

const TITLES: Record<GoLiveStep, string> = {
  keys: 'Keys',
  shortcode: 'Shortcode and passkey',
  push: 'KES 1 from your own phone',
  callback: 'Reached from outside',
  c2b: 'Payments by hand',
  pull: 'Pull of lost notices',
  initiator: 'Initiator',
};

const LOOKS: Record<GoLiveResult['state'], [look: string, icon: IconName, word: string]> = {
  ok: ['good', 'check', 'done'],
  warning: ['warn', 'warning', 'look'],
  failed: ['bad', 'close', 'failed'],
  waiting: ['warn', 'refresh', 'waiting'],
  again: ['warn', 'refresh', 'test again'],
  unknown: ['none', 'forward', 'to do'],
  optional: ['none', 'more', 'optional'],
};

type Act = (step: GoLiveStep, run: () => Promise<GoLiveAnswer>) => Promise<void>;

export function GoLive() {
  const { data, error, reload, setData } = useLoad<GoLiveAnswer>('/go-live');
  const [busy, setBusy] = useState<GoLiveStep | undefined>();
  const waiting = data?.steps.some(({ state }) => state === 'waiting') ?? false;
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = window.setInterval(reload, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [waiting, reload]);
  if (!data) {
    return html`<div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const act: Act = async (step, run) => {
    setBusy(step);
    try {
      const answer = await run();
      setData(() => answer);
    } catch (failure) {
      tellFailure(failure);
    } finally {
      setBusy(undefined);
    }
  };
  return html`<${Card} class="narrow checklist" title="Before the first guest pays"
    aside=${html`<${State} state=${data.live ? 'ready' : 'waiting'} word=${data.live ? 'live' : 'not yet'} />`}>
    <ol>${data.steps.map(
      (result) => html`<${Step} key=${result.step} result=${result}>
        <${Tools} result=${result} answer=${data} act=${act} busy=${busy === result.step} /><//>`,
    )}</ol>
  <//>`;
}

function Step({ result, children }: { result: GoLiveResult; children: ComponentChildren }) {
  const [look, icon, word] = LOOKS[result.state];
  return html`<li class=${look}>
    <span class="mark-of"><${Icon} name=${icon} /></span>
    <div>
      <div class="step-head"><b>${TITLES[result.step]}</b>
        <small class="muted">${word}${result.at !== null && html` · <${Time} at=${result.at} />`}</small></div>
      <p>${result.message}</p>
      ${result.hint && html`<p class="hint">${result.hint}</p>`}
      ${children}
    </div>
  </li>`;
}

function Tools(props: { result: GoLiveResult; answer: GoLiveAnswer; act: Act; busy: boolean }) {
  const { result, answer, act, busy } = props;
  const { step } = result;
  const button = (label: string, path: string) =>
    html`<${Button} busy=${busy} onClick=${() => act(step, () => post<GoLiveAnswer>(path))}>${label}<//>`;
  switch (step) {
    case 'keys':
      return html`<div class="step-tools">${button('Test keys and shortcode', '/go-live/keys')}
        <${LinkButton} href="/settings/mpesa" look="quiet">Change<//></div>`;
    case 'push':
      return html`<${PhoneForm} label="Your M-PESA number" go="Send the prompt" path="/go-live/push" step=${step}
        act=${act} busy=${busy} />`;
    case 'callback':
      return html`<div class="step-tools">${answer.url && button('Test from outside', '/go-live/callback')}
        <${LinkButton} href="/settings/way-in" look="quiet">${answer.url ? 'Change' : 'Open a way in'}<//></div>`;
    case 'c2b':
      return answer.url
        ? html`<div class="step-tools">${button('Register the addresses', '/go-live/c2b')}</div>`
        : html`<p class="hint">Needs a way in from outside.</p>`;
    case 'pull':
      return html`<${PhoneForm} label="The number in your papers with Safaricom" go="Enable" path="/go-live/pull"
        step=${step} act=${act} busy=${busy} />`;
    case 'initiator':
      return html`<${InitiatorTools} answer=${answer} act=${act} busy=${busy} />`;
    default:
      return null;
  }
}

function PhoneForm(props: {
  label: string;
  go: string;
  path: string;
  step: GoLiveStep;
  act: Act;
  busy: boolean;
}) {
  const form = useForm({ msisdn: '' });
  const send = async (values: Values) => {
    const answer = await post<GoLiveAnswer>(props.path, values);
    await props.act(props.step, async () => answer);
  };
  return html`<${FormBox} form=${form} act=${send} class="step-form">
    <${Field} form=${form} name="msisdn" label=${props.label} type="tel" inputmode="tel" placeholder="0712 345 678" />
    <${Button} type="submit" busy=${form.busy || props.busy}>${props.go}<//>
  <//>`;
}

function InitiatorTools({ answer, act, busy }: { answer: GoLiveAnswer; act: Act; busy: boolean }) {
  const { initiator } = answer;
  const [open, setOpen] = useState(false);
  const form = useForm({ name: initiator.name ?? '', password: '', certificate: '' });
  if (!open) {
    const ask = () => act('initiator', () => post<GoLiveAnswer>('/go-live/initiator/test'));
    return html`<div class="step-tools">
      ${initiator.has_password && html`<${Button} busy=${busy} onClick=${ask}>Ask for the balance<//>`}
      <${Button} look=${initiator.name ? 'quiet' : 'plain'} onClick=${() => setOpen(true)}>
        ${initiator.name ? 'Change' : 'Set it up'}<//></div>`;
  }
  const save = async (values: Values) => {
    const filled = Object.entries(values).filter(([, value]) => value.trim() !== '');
    const saved = await put<GoLiveAnswer>('/go-live/initiator', Object.fromEntries(filled));
    tell('Initiator saved.');
    setOpen(false);
    await act('initiator', async () => saved);
  };
  const stored = initiator.has_password ? 'stored, leave empty to keep' : '';
  return html`<${FormBox} form=${form} act=${save} class="step-wide">
    <div class="field-row">
      <${Field} form=${form} name="name" label="User name" mono hint="Of the API operator" />
      <${Field} form=${form} name="password" label="Password" type="password" autocomplete="new-password"
        placeholder=${stored} hint="Ends 90 days after it was set" />
    </div>
    <${Field} form=${form} name="certificate" label="M-PESA’s certificate" rows=${4} mono
      placeholder=${stored || '-----BEGIN CERTIFICATE-----'} hint="From the Daraja portal; sandbox and production differ" />
    <div class="form-foot"><${Button} look="quiet" onClick=${() => setOpen(false)}>Cancel<//>
      <${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//>`;
}
