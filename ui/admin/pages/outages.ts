// When the box or a router was down, and whether guests get the time back.
import { useEffect } from 'preact/hooks';
import { exactTime, formatCount, formatDuration } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { parseNumber } from '../../shared/units.ts';
import { get, post, put } from '../api.ts';
import { type Listed, useList, useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Button, Card, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { ask } from '../parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { Listing, Segments, Toolbar } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Outage, OutageSettings, Settings } from '../types.ts';

const nameOf = (outage: Outage) => outage.router_name ?? 'The box';
const lengthOf = (outage: Outage) =>
  outage.to_at === null ? 'still down' : formatDuration(Math.round((outage.to_at - outage.from_at) / 1000));
const guests = (count: number) => `${formatCount(count)} entitlement${count === 1 ? '' : 's'}`;

const POLL_MS = 1500;

const isBeingExtended = (outage: Outage) => outage.state === 'approved' && outage.done_at === null;

/** Follows outages whose entitlements are being extended until all are, row by row: the list keeps its place. */
function useExtensions({ items, change, reload }: Listed<Outage>): void {
  const ids = items
    .filter(isBeingExtended)
    .map(({ id }) => id)
    .join(' ');
  useEffect(() => {
    if (ids === '') return;
    let left = false;
    const timer = window.setInterval(async () => {
      try {
        const now = await Promise.all(ids.split(' ').map((id) => get<Outage>(`/outages/${id}`)));
        if (!left) change((rows) => rows.map((row) => now.find(({ id }) => id === row.id) ?? row));
      } catch {
        // The list says what is wrong and offers to try again.
        if (!left) reload();
      }
    }, POLL_MS);
    return () => {
      left = true;
      window.clearInterval(timer);
    };
  }, [ids, change, reload]);
}

export function Outages() {
  const state = usePlace().query.get('state') ?? '';
  const manages = canManage(useMe().account.role);
  const list = useList<Outage>('/outages', { state });
  useExtensions(list);

  async function decide(outage: Outage, action: 'approve' | 'dismiss') {
    const most = formatDuration(Math.round(outage.extension_ms / 1000));
    const approve = action === 'approve';
    const sure = await ask({
      title: approve ? `Extend ${guests(outage.affected)}?` : 'Extend nobody?',
      body: html`<p>${nameOf(outage)} was down for <b>${lengthOf(outage)}</b> from ${exactTime(outage.from_at)}. ${
        approve
          ? `Each plan that ran then gets back what it lost, at most ${most}. It cannot be taken back.`
          : 'Plans that ran then keep their ends. This cannot be changed later.'
      }</p>`,
      confirm: approve ? 'Extend them' : 'Dismiss the outage',
      keep: 'Not now',
      ...(approve ? { look: 'primary' as const } : {}),
    });
    if (!sure) return;
    try {
      await post(`/outages/${outage.id}/${action}`);
      tell(approve ? 'They are being extended.' : 'Dismissed.');
    } catch (failure) {
      tellFailure(failure);
    }
    list.reload();
  }

  return html`<${PageHead} title="Outages" sub="When the box or a router was down" />
    <${Toolbar}><${Segments} label="State" value=${state} onPick=${(picked: string) => setQuery({ state: picked })}
      options=${[
        ['', 'All'],
        ['waiting', 'To decide'],
        ['approved', 'Extended'],
        ['dismissed', 'Dismissed'],
      ]} /><//>
    <${Listing} list=${list} label="Outages" icon="outages" filtered=${state !== ''}
      onClear=${() => setQuery({ state: undefined })} id=${(outage: Outage) => outage.id}
      emptyTitle="Nothing was down for long."
      empty=${html`<p class="muted">Power cuts of the box, and of routers with an API user, appear here.</p>`}
      columns=${[
        { label: 'What', at: 'main', cell: (outage: Outage) => html`<b>${nameOf(outage)}</b>` },
        { label: 'Down for', at: 'end', num: true, cell: lengthOf },
        { label: 'From', at: 'sub', cell: (outage: Outage) => html`<${Time} at=${outage.from_at} />` },
        {
          label: 'State',
          at: 'sub-end',
          cell: (outage: Outage) =>
            isBeingExtended(outage)
              ? html`<${State} state="making" word="being extended" />`
              : html`<${State} state=${outage.state === 'open' ? 'offline' : outage.state}
                  word=${{ open: 'down', waiting: 'to decide', approved: 'extended', dismissed: 'dismissed' }[outage.state]} />`,
        },
        {
          label: 'Guests',
          at: 'foot',
          grow: true,
          cell: (outage: Outage) =>
            outage.state === 'waiting'
              ? html`<div class="row-acts"><span>${guests(outage.affected)} lost up to
                  ${' '}${formatDuration(Math.round(outage.extension_ms / 1000))}</span>
                ${
                  manages &&
                  html`<${Button} look="primary" disabled=${outage.affected === 0}
                    onClick=${() => decide(outage, 'approve')}>Extend<//>
                  <${Button} onClick=${() => decide(outage, 'dismiss')}>Dismiss<//>`
                }</div>`
              : html`<span class="muted">${outage.state !== 'approved' ? '' : `${guests(outage.extended)} extended${isBeingExtended(outage) ? ' so far' : ''}, `}${
                  outage.decided_by ? `by ${outage.decided_by}` : ''
                }</span>`,
        },
      ]} />
    ${manages && html`<${Policy} />`}`;
}

function Policy() {
  const { data, error, reload } = useLoad<Settings>('/settings');
  if (!data) {
    return html`<div class="card">${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  return html`<${PolicyForm} settings=${data.outages} />`;
}

function PolicyForm({ settings }: { settings: OutageSettings }) {
  const form = useForm({
    mode: settings.mode,
    minimum: String(settings.minimum_seconds / 60),
    maximum: String(settings.maximum_seconds / 3600),
  });
  const save = async (values: Values) => {
    const minutes = parseNumber(values.minimum ?? '') ?? 0;
    const hours = parseNumber(values.maximum ?? '') ?? 0;
    const wrong: Record<string, string> = {};
    if (minutes < 2 || minutes > 1440) wrong.minimum = 'From 2 minutes to 1,440, which is a day.';
    if (hours < 0.02 || hours > 744) wrong.maximum = 'From 0.02 hours to 744, which is 31 days.';
    if (Object.keys(wrong).length > 0) throw invalid(wrong);
    await put('/settings/outages', {
      mode: values.mode,
      minimum_seconds: Math.round(minutes * 60),
      maximum_seconds: Math.round(hours * 3600),
    });
    tell('Saved.');
  };
  return html`<${Card} class="narrow" title="When something was down"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="mode" label="Give guests their time back" options=${[
      ['ask', 'Ask me each time'],
      ['automatic', 'Always, by itself'],
      ['off', 'Never'],
    ]} />
    <div class="field-row">
      <${Field} form=${form} name="minimum" label="Shortest outage that counts, minutes" inputmode="decimal" />
      <${Field} form=${form} name="maximum" label="Most for one outage, hours" inputmode="decimal" />
    </div>
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}
