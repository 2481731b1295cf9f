// What becomes of a second payment, and of a code that a guest pastes before M-PESA has said it.
import { html } from '../../shared/html.ts';
import { put } from '../api.ts';
import { Button, Card } from '../parts/basics.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { tell } from '../parts/toast.ts';
import type { PaymentPolicy } from '../types.ts';

function whole(values: Values, name: string): number {
  const typed = (values[name] ?? '').trim();
  if (!/^\d{1,9}$/.test(typed)) throw invalid({ [name]: 'Write a whole number.' });
  return Number(typed);
}

export function PaymentPolicyPart({ policy, onSaved }: { policy: PaymentPolicy; onSaved: () => void }) {
  const form = useForm({
    second_payment: policy.second_payment,
    paste_minutes: String(policy.paste_minutes),
    paste_kbps: String(policy.paste_kbps),
  });
  const save = async (values: Values) => {
    await put('/settings/payment-policy', {
      second_payment: values.second_payment,
      paste_minutes: whole(values, 'paste_minutes'),
      paste_kbps: whole(values, 'paste_kbps'),
    });
    tell('Payments saved.');
    onSaved();
  };
  return html`<${Card} class="narrow" title="When payments are unusual"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="second_payment" label="A second payment for the same order" options=${[
      ['stack', 'adds its time to the first'],
      ['wait', 'waits for a person, unmatched'],
    ]} />
    <div class="field-row">
      <${Field} form=${form} name="paste_minutes" label="Minutes for a pasted code" inputmode="numeric"
        suffix="min" hint="Access while M-PESA is asked: once a device, for codes that look like today’s. 0: none until M-PESA confirms." />
      <${Field} form=${form} name="paste_kbps" label="Its rate" inputmode="numeric" suffix="kbps"
        hint="Both ways" />
    </div>
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}
