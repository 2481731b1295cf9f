// The settings, part by part.
import { html } from '../../shared/html.ts';
import { post, put } from '../api.ts';
import { useLoad } from '../load.ts';
import { go, usePlace } from '../navigation.ts';
import { Button, Card, Failure, Loading, PageHead, State } from '../parts/basics.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Segments, Toolbar } from '../parts/list.ts';
import { TestButton } from '../parts/test-steps.ts';
import { tell } from '../parts/toast.ts';
import type { AccountingSettings, BusinessSettings, MpesaSettings, Settings, TestAnswer } from '../types.ts';
import { GoLive } from './go-live.ts';
import { PaymentPolicyPart } from './payment-policy.ts';
import { SmsPaymentsPart } from './sms-payments.ts';
import { WayIn } from './tunnel.ts';

const PARTS: [part: string, label: string][] = [
  ['', 'Business'],
  ['mpesa', 'M-PESA'],
  ['way-in', 'Way in'],
  ['sms-payments', 'Paid by hand'],
  ['go-live', 'Go live'],
  ['payments', 'Payments'],
  ['sessions', 'Sessions'],
];

export function SettingsPage() {
  const { data, error, reload } = useLoad<Settings>('/settings');
  const named = usePlace().segments[1] ?? '';
  const part = PARTS.some(([name]) => name === named) ? named : '';
  return html`<${PageHead} title="Settings" />
    <${Toolbar}><${Segments} label="Part" value=${part}
      onPick=${(picked: string) => go(picked ? `/settings/${picked}` : '/settings')} options=${PARTS} /><//>
    ${
      !data &&
      part !== 'way-in' &&
      part !== 'go-live' &&
      part !== 'sms-payments' &&
      html`<div class="card">
    ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`
    }
    ${data && part === '' && html`<${Business} settings=${data.business} onSaved=${reload} />`}
    ${part === 'way-in' && html`<${WayIn} />`}
    ${part === 'sms-payments' && html`<${SmsPaymentsPart} />`}
    ${part === 'go-live' && html`<${GoLive} />`}
    ${data && part === 'mpesa' && html`<${Mpesa} settings=${data.mpesa} onSaved=${reload} />`}
    ${data && part === 'payments' && html`<${PaymentPolicyPart} policy=${data.payment_policy} onSaved=${reload} />`}
    ${data && part === 'sessions' && html`<${Accounting} settings=${data.accounting} onSaved=${reload} />`}`;
}

function trimmed(values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]));
}

function Business({ settings, onSaved }: { settings: BusinessSettings; onSaved: () => void }) {
  const form = useForm({
    name: settings.name,
    support_phone: settings.support_phone ?? '',
    portal_url: settings.portal_url ?? '',
    default_language: settings.default_language,
    appliance_address: settings.appliance_address ?? '',
  });
  const save = async (values: Values) => {
    await put('/settings/business', trimmed(values));
    tell('Business saved.');
    onSaved();
  };
  return html`<${Card} class="narrow"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="name" label="Business name"
      hint="Guests see it on the portal and on vouchers" />
    <div class="field-row">
      <${Field} form=${form} name="support_phone" label="Support phone" required=${false} type="tel"
        inputmode="tel" placeholder="0712 345 678" hint="Shown to guests who need help" />
      <${Field} form=${form} name="default_language" label="Portal language" options=${[
        ['en', 'English'],
        ['sw', 'Kiswahili'],
      ]} />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="appliance_address" label="Address of this box" mono required=${false}
        placeholder="192.168.88.2" hint="As the routers reach it" />
      <${Field} form=${form} name="portal_url" label="Portal address" mono required=${false}
        placeholder="http://192.168.88.2:8081" hint="Where the hotspot sends guests" />
    </div>
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}

function Accounting({ settings, onSaved }: { settings: AccountingSettings; onSaved: () => void }) {
  const form = useForm({
    missed_interims: String(settings.missed_interims),
    sessions_kept_days: String(settings.sessions_kept_days),
  });
  const save = async (values: Values) => {
    await put('/settings/accounting', trimmed(values));
    tell('Sessions saved.');
    onSaved();
  };
  return html`<${Card} class="narrow"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="missed_interims" label="Missed reports after which a session is over"
      inputmode="numeric"
      hint="Routers report each live session once in a while. With more, sessions on bad links stay open; with less, dead ones close sooner." />
    <${Field} form=${form} name="sessions_kept_days" label="Days that closed sessions are kept"
      inputmode="numeric" hint="The daily usage stays for good." />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}

const SECRETS = ['consumer_key', 'consumer_secret', 'passkey'];

/** Empty secrets are left out: the stored ones stay. */
function readMpesa(values: Values): Values {
  const filled = Object.entries(trimmed(values)).filter(
    ([name, value]) => value !== '' || !SECRETS.includes(name),
  );
  return Object.fromEntries(filled);
}

function Mpesa({ settings, onSaved }: { settings: MpesaSettings; onSaved: () => void }) {
  const form = useForm({
    environment: settings.environment ?? 'sandbox',
    base_url: settings.base_url ?? '',
    shortcode: settings.shortcode ?? '',
    kind: settings.kind ?? 'paybill',
    till_number: settings.till_number ?? '',
    consumer_key: '',
    consumer_secret: '',
    passkey: '',
  });
  const save = async (values: Values) => {
    await put('/settings/mpesa', readMpesa(values));
    for (const name of SECRETS) form.set(name, '');
    tell('M-PESA saved. Go through “Go live” before the first guest does.');
    onSaved();
  };
  const secret = (has: boolean) => (has ? 'stored, leave empty to keep' : '');
  const { environment, kind } = form.values;
  return html`<${Card} class="narrow" title="Daraja keys"
    aside=${html`<${State} state=${settings.configured ? 'ready' : 'waiting'}
      word=${settings.configured ? 'configured' : 'not configured'} />`}>
    <${FormBox} form=${form} act=${save}>
      <div class="field-row">
        <${Field} form=${form} name="environment" label="Environment" options=${[
          ['production', 'Production: real money'],
          ['sandbox', 'Sandbox: Safaricom’s test'],
          ['simulator', 'Simulator: on this box'],
          ['custom', 'Another address'],
        ]} />
        <${Field} form=${form} name="kind" label="Kind" options=${[
          ['paybill', 'Paybill'],
          ['till', 'Till (Buy Goods)'],
        ]} />
      </div>
      ${
        environment === 'custom' &&
        html`<${Field} form=${form} name="base_url" label="Address of the API"
        mono placeholder="https://…" />`
      }
      <div class="field-row">
        <${Field} form=${form} name="shortcode" label=${kind === 'till' ? 'Store number' : 'Paybill number'}
          inputmode="numeric" mono placeholder="174379" />
        ${
          kind === 'till' &&
          html`<${Field} form=${form} name="till_number" label="Till number"
          inputmode="numeric" mono />`
        }
      </div>
      <${Field} form=${form} name="consumer_key" label="Consumer key" mono
        placeholder=${secret(settings.has_consumer_key)} />
      <${Field} form=${form} name="consumer_secret" label="Consumer secret" type="password"
        autocomplete="new-password" placeholder=${secret(settings.has_consumer_secret)} />
      <${Field} form=${form} name="passkey" label="Passkey" type="password" autocomplete="new-password"
        placeholder=${secret(settings.has_passkey)} hint="From the Daraja portal, for the STK prompt" />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
      <${TestButton} label="Test these keys"
        run=${() => post<TestAnswer>('/settings/mpesa/test', readMpesa(form.values))} />
    <//>
  <//>`;
}
