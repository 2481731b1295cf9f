// What was heard about money and is not believed, or not yet.
import { html } from '../../shared/html.ts';
import { useList } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { PageHead, Time } from '../parts/basics.ts';
import { evidenceKind, Received } from '../parts/evidence.ts';
import { Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import type { Evidence } from '../types.ts';

const WORDS = {
  quarantined: [
    'Nothing is kept aside.',
    'What nobody can attribute, or believe, is kept here and gives nothing.',
  ],
  waiting: ['Nothing waits for M-PESA.', 'What M-PESA has yet to confirm appears here by itself.'],
} as const;

export function Quarantine() {
  const { query } = usePlace();
  const state = query.get('state') === 'waiting' ? 'waiting' : 'quarantined';
  const q = query.get('q') ?? '';
  const list = useList<Evidence>('/evidence', { state, q });
  const [emptyTitle, why] = WORDS[state];
  return html`<${PageHead} title="Quarantine" sub="Heard about money, and not acted on" back="/payments" />
    <${Toolbar}>
      <${Search} value=${q} placeholder="M-PESA code" onSearch=${(text: string) => setQuery({ q: text })} />
      <${Segments} label="State" value=${state} onPick=${(picked: string) => setQuery({ state: picked })}
        options=${[['quarantined', 'Kept aside'], ['waiting', 'Waits for M-PESA']]} />
    <//>
    <${Listing} list=${list} label="Evidence" icon="payments" filtered=${q !== ''}
      onClear=${() => setQuery({ q: undefined })} id=${(entry: Evidence) => entry.id}
      columns=${[
        { label: 'Kind', at: 'main', cell: (entry: Evidence) => html`<b>${evidenceKind(entry.kind)}</b>` },
        {
          label: 'Code',
          at: 'end',
          cell: (entry: Evidence) => entry.receipt && html`<code>${entry.receipt}</code>`,
        },
        {
          label: 'Why',
          at: 'sub',
          cell: (entry: Evidence) => entry.summary ?? entry.doubt ?? 'M-PESA is asked about it.',
        },
        {
          label: 'From',
          at: 'foot',
          grow: true,
          cell: (entry: Evidence) => html`<${Received} entry=${entry} />`,
        },
        {
          label: 'When',
          at: 'sub-end',
          cell: (entry: Evidence) => html`<${Time} at=${entry.received_at} />`,
        },
      ]}
      emptyTitle=${emptyTitle} empty=${html`<p class="muted">${why}</p>`} />`;
}
