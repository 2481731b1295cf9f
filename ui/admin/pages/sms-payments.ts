// Payments without keys: where guests pay by hand, and the address for the app that forwards the SMS.
import { html } from '../../shared/html.ts';
import { post, put } from '../api.ts';
import { useLoad } from '../load.ts';
import { Button, Card, Failure, Loading } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { ask } from '../parts/dialog.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { TestButton } from '../parts/test-steps.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { SmsPayments, TestAnswer } from '../types.ts';

export function SmsPaymentsPart() {
  const { data, error, reload } = useLoad<SmsPayments>('/settings/sms-payments');
  if (!data)
    return html`<div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  return html`<${PayTo} settings=${data} onSaved=${reload} /><${Forwarder} settings=${data} onChange=${reload} />`;
}

function PayTo({ settings, onSaved }: { settings: SmsPayments; onSaved: () => void }) {
  const form = useForm({
    enabled: settings.enabled ? 'yes' : 'no',
    pay_to: settings.pay_to,
    pay_to_number: settings.pay_to_number,
    pay_to_name: settings.pay_to_name,
    minutes: String(settings.window_seconds / 60),
    without_phone: settings.without_phone ? 'yes' : 'no',
  });
  const save = async (values: Values) => {
    const { pay_to, pay_to_number, pay_to_name } = values;
    await put('/settings/sms-payments', {
      ...{ pay_to, pay_to_number, pay_to_name },
      enabled: values.enabled === 'yes',
      without_phone: values.without_phone === 'yes',
      window_seconds: Math.round(Number(values.minutes) * 60),
    });
    tell('Saved.');
    onSaved();
  };
  return html`<${Card} class="narrow" title="Paid by hand, told by SMS"><${FormBox} form=${form} act=${save}>
    <p class="muted">Without Daraja keys: guests pay to your number, and your phone forwards the M-PESA message.
      A message is text, and text can be forged by whoever knows the address: keep it secret, and compare with your
      M-PESA statement. With keys in the M-PESA part, those are used instead.</p>
    <${Field} form=${form} name="enabled" label="Guests may pay like this" options=${[
      ['no', 'No'],
      ['yes', 'Yes'],
    ]} />
    <div class="field-row">
      <${Field} form=${form} name="pay_to" label="They pay to" options=${[
        ['till', 'a till'],
        ['pochi', 'a Pochi'],
        ['paybill', 'a paybill'],
        ['send', 'a phone number'],
      ]} />
      <${Field} form=${form} name="pay_to_number" label="Number" inputmode="numeric" />
    </div>
    <${Field} form=${form} name="pay_to_name" label="Name that M-PESA shows" required=${false} />
    <${Field} form=${form} name="minutes" label="An order waits for its message, minutes" inputmode="numeric" />
    <${Field} form=${form} name="without_phone" label="A message without a phone (Pochi)" options=${[
      ['no', 'waits for the cashier'],
      ['yes', 'pays the only order of its amount'],
    ]} />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}

function Forwarder({ settings, onChange }: { settings: SmsPayments; onChange: () => void }) {
  const form = useForm({ text: '' });
  const rotate = async () => {
    const sure =
      settings.address === null ||
      (await ask({
        title: 'Make a new address?',
        body: html`<p>The forwarding app must get the new one: the old one is refused at once.</p>`,
        confirm: 'Make a new address',
      }));
    if (!sure) return;
    try {
      await post('/settings/sms-payments/address');
      onChange();
    } catch (failure) {
      tellFailure(failure);
    }
  };
  return html`<${Card} class="narrow" title="The forwarding app">
    ${settings.address ? html`<p><code class="wrap">${settings.address}</code></p><${CopyButton} text=${settings.address}>Copy address<//>` : html`<p class="muted">No address yet.</p>`}
    ${' '}<${Button} onClick=${rotate}>${settings.address ? 'New address' : 'Make the address'}<//>
    ${!settings.reachable && html`<p class="muted">There is no way in from outside: the phone must be on this network, or open one under <a href="/settings/way-in">Way in</a>.</p>`}
    <p class="muted">Forward messages of MPESA only, as POST with the sender and the text (JSON from and message, or plain text).</p>
    <${Field} form=${form} name="text" label="Try with an M-PESA message" rows=${3} />
    <${TestButton} run=${() => post<TestAnswer>('/settings/sms-payments/test', { text: form.values.text })} />
  <//>`;
}
