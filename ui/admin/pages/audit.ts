// Who changed what, before and after.
import { useState } from 'preact/hooks';
import { formatWord } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { differences } from '../differences.ts';
import { useList } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { PageHead, Time } from '../parts/basics.ts';
import { Choice } from '../parts/form.ts';
import { Listing, Toolbar } from '../parts/list.ts';
import type { AuditEntry } from '../types.ts';

const ENTITIES = [
  'plan',
  'router',
  'voucher batch',
  'voucher',
  'subscriber',
  'entitlement',
  'session',
  'order',
  'outage',
  'clock',
  'settings',
  'account',
];

export function Audit() {
  const entity = usePlace().query.get('entity') ?? '';
  const list = useList<AuditEntry>('/audit', { entity });
  return html`<${PageHead} title="Audit" sub="Who changed what" />
    <${Toolbar}><${Choice} aria-label="What was changed" value=${entity}
      onInput=${(event: Event) => setQuery({ entity: (event.target as HTMLSelectElement).value })}
      options=${[['', 'Everything'], ...ENTITIES.map((name) => [name, name])]} /><//>
    <${Listing} list=${list} label="Audit" icon="audit" filtered=${entity !== ''}
      onClear=${() => setQuery({ entity: undefined })} id=${(row: AuditEntry) => row.id}
      emptyTitle="Nothing was changed yet." empty=${null}
      columns=${[
        {
          label: 'Who',
          at: 'sub',
          cell: (row: AuditEntry) => html`<span title=${row.address ?? ''}>${row.actor}</span>`,
        },
        {
          label: 'What',
          at: 'main',
          cell: (row: AuditEntry) =>
            html`<b>${formatWord(row.action)}</b> <span class="muted">${formatWord(row.entity)}
              </span> <${Thing} entry=${row} />`,
        },
        {
          label: 'Change',
          at: 'foot',
          grow: true,
          cell: (row: AuditEntry) => html`<${Changes} entry=${row} />`,
        },
        { label: 'When', at: 'end', cell: (row: AuditEntry) => html`<${Time} at=${row.at} />` },
      ]} />`;
}

const PLACES: Record<string, string> = {
  plan: 'plans',
  router: 'routers',
  'voucher batch': 'vouchers',
  subscriber: 'subscribers',
  session: 'sessions',
  order: 'orders',
};

/** The thing's name, leading to its page where it has one. */
function Thing({ entry }: { entry: AuditEntry }) {
  const place = PLACES[entry.entity];
  if (!place || !entry.entity_id) return entry.entity_name ?? '';
  return html`<a href=${`/${place}/${entry.entity_id}`}>${entry.entity_name ?? 'open'}</a>`;
}

const SHOWN = 3;

function Changes({ entry }: { entry: AuditEntry }) {
  const [all, setAll] = useState(false);
  const changes = differences(entry.before, entry.after);
  if (changes.length === 0) return html`<span class="muted">–</span>`;
  const shown = all ? changes : changes.slice(0, SHOWN);
  return html`<ul class="changes">
    ${shown.map(
      (change) =>
        html`<li key=${change.field}><span class="muted">${formatWord(change.field)}
          </span> ${
            change.before !== undefined &&
            html`<del>${change.before}
          </del>`
          } ${change.after !== undefined && html`<ins>${change.after}</ins>`}</li>`,
    )}
    ${
      changes.length > SHOWN &&
      html`<li><button type="button" class="link" onClick=${() => setAll(!all)}>
    ${all ? 'less' : `${changes.length - SHOWN} more`}</button></li>`
    }
  </ul>`;
}
