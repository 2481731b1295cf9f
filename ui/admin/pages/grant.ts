// Granting a plan by hand.
import { useEffect, useRef } from 'preact/hooks';
import { formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useList } from '../load.ts';
import { Button, Empty, Loading } from '../parts/basics.ts';
import { Dialog } from '../parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { newKey } from '../parts/idempotency.ts';
import { tell } from '../parts/toast.ts';
import type { Credential, Entitlement, Plan } from '../types.ts';

interface GrantProps {
  subscriberId: string;
  /** Undefined for a subscriber's own, where there is one at most. */
  credentials: Credential[];
  onClose: (granted?: Entitlement) => void;
}

export function Grant(props: GrantProps) {
  const plans = useList<Plan>('/plans', {});
  const open = plans.items.filter((plan) => plan.state !== 'archived');
  const body =
    open.length > 0
      ? html`<${GrantForm} ...${props} plans=${open} />`
      : plans.loading
        ? html`<${Loading} rows=${3} />`
        : html`<${Empty} icon="plans" title="There is no plan to grant."><a href="/plans/new">Make a plan</a><//>`;
  return html`<${Dialog} title="Grant a plan" onClose=${() => props.onClose()}>${body}<//>`;
}

/** The plans that a credential can use, the cheapest first: a home's for PPPoE. */
export function fitting(plans: Plan[], credential: Credential | undefined): Plan[] {
  const kind = credential?.kind === 'pppoe' ? 'pppoe' : 'hotspot';
  return plans.filter((plan) => plan.kind === kind).sort((a, b) => a.price_cents - b.price_cents);
}

function noPlan(credential: Credential | undefined): string {
  return credential?.kind === 'pppoe'
    ? 'There is no plan for homes.'
    : 'There is no plan for hotspot guests.';
}

function GrantForm({ subscriberId, credentials, onClose, plans }: GrantProps & { plans: Plan[] }) {
  const active = credentials.filter((credential) => credential.state === 'active');
  const first = active.find((credential) => credential.kind === 'pppoe') ?? active[0];
  const key = useRef(newKey()); // The same key on a second try: a lost answer must not grant twice.
  const form = useForm({
    credential_id: first?.id ?? '',
    plan_id: fitting(plans, first)[0]?.id ?? '',
    not_before_at: '',
    reason: '',
  });
  const chosen = active.find((credential) => credential.id === form.values.credential_id);
  const choice = fitting(plans, chosen);
  const plan = choice.find(({ id }) => id === form.values.plan_id)?.id ?? choice[0]?.id ?? '';
  // Another credential may be of another kind.
  useEffect(() => form.set('plan_id', plan), [plan]);
  const save = async ({ credential_id, plan_id, not_before_at, reason }: Values) => {
    const from = not_before_at ? new Date(not_before_at).getTime() : null;
    if (Number.isNaN(from)) throw invalid({ not_before_at: 'Write a day and a time.' });
    const whom = credential_id ? { credential_id } : { subscriber_id: subscriberId };
    const body = { ...whom, plan_id, not_before_at: from, reason };
    const granted = await post<Entitlement>('/entitlements', body, { 'idempotency-key': key.current });
    tell(`${granted.plan_name} granted to ${granted.username}.`);
    onClose(granted);
  };
  return html`<${FormBox} form=${form} act=${save}>
    ${
      active.length > 1 &&
      html`<${Field} form=${form} name="credential_id" label="For"
        options=${active.map((one) => [one.id, `${one.username} (${one.kind === 'pppoe' ? 'PPPoE' : one.kind})`])} />`
    }
    ${
      choice.length === 0
        ? html`<${Empty} icon="plans" title=${noPlan(chosen)}><a href="/plans/new">Make a plan</a><//>`
        : html`<${Field} form=${form} name="plan_id" label="Plan"
          options=${choice.map((one) => [one.id, `${one.name} · ${formatMoney(one.price_cents)}`])} />`
    }
    <${Field} form=${form} name="not_before_at" label="Start not before" type="datetime-local" required=${false}
      hint="Empty: it starts with the next sign-in, or when what runs now ends" />
    <${Field} form=${form} name="reason" label="Reason, for the audit" placeholder="Paid in cash at the office"
      maxlength=${200} />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}
      disabled=${choice.length === 0}>Grant<//>
    <${Button} look="quiet" onClick=${() => onClose()}>Cancel<//></div>
  <//>`;
}
