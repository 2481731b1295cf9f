// The evidence about money, as a timeline that can be opened.
import { formatWord } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import type { Evidence } from '../types.ts';
import { Empty, Time } from './basics.ts';

const KINDS: Record<string, string> = {
  stk_callback: 'Callback',
  stk_query: 'Query answer',
  c2b: 'Paid by hand',
  c2b_validation: 'Asked before paid',
  transaction_status: 'Status answer',
  sms: 'SMS',
};

/** What a piece of evidence is, in words. */
export function evidenceKind(kind: string): string {
  return KINDS[kind] ?? formatWord(kind);
}

/** A body as text to read: JSON is indented, whatever else is shown as it came. */
function bodyText(body: unknown): string {
  if (typeof body !== 'string') return JSON.stringify(body, null, 2);
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body; // Evidence is kept as received, also when it is not JSON.
  }
}

/** The message word for word, when it is asked for. */
export function Received({ entry }: { entry: Evidence }) {
  return html`<details><summary>What was received${entry.source_address ? ` from ${entry.source_address}` : ''}
    </summary><pre>${bodyText(entry.body)}</pre></details>`;
}

export function EvidenceTimeline({ evidence }: { evidence: Evidence[] }) {
  if (evidence.length === 0) {
    return html`<${Empty} icon="payments" title="No evidence yet.">
      <p class="muted">What M-PESA says is kept here word for word.</p><//>`;
  }
  return html`<ol class="timeline">
    ${evidence.map(
      (entry) => html`<li key=${entry.id}>
        <p><b>${evidenceKind(entry.kind)}</b> <span class="muted">
        ${formatWord(entry.state)}</span><span class="timeline-when"><${Time} at=${entry.received_at} />
        </span></p>
        ${entry.summary && html`<p>${entry.summary}</p>`}
        <${Received} entry=${entry} />
      </li>`,
    )}
  </ol>`;
}
