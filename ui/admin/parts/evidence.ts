// The evidence about money, as a timeline that can be opened.
import { formatWord } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import type { Evidence } from '../types.ts';
import { Empty, Time } from './basics.ts';

const KINDS: Record<string, string> = {
  stk_callback: 'Callback',
  stk_query: 'Query answer',
};

/** A body as text to read: JSON is indented, whatever else is shown as it came. */
function bodyText(body: unknown): string {
  if (typeof body !== 'string') return JSON.stringify(body, null, 2);
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body; // Evidence is kept as received, also when it is not JSON.
  }
}

export function EvidenceTimeline({ evidence }: { evidence: Evidence[] }) {
  if (evidence.length === 0) {
    return html`<${Empty} icon="payments" title="No evidence yet.">
      <p class="muted">What M-PESA says is kept here word for word.</p><//>`;
  }
  return html`<ol class="timeline">
    ${evidence.map(
      (entry) => html`<li key=${entry.id}>
        <p><b>${KINDS[entry.kind] ?? formatWord(entry.kind)}</b> <span class="muted">
        ${formatWord(entry.state)}</span><span class="timeline-when"><${Time} at=${entry.received_at} />
        </span></p>
        ${entry.summary && html`<p>${entry.summary}</p>`}
        <details><summary>What was received${entry.source_address ? ` from ${entry.source_address}` : ''}
        </summary><pre>${bodyText(entry.body)}</pre></details>
      </li>`,
    )}
  </ol>`;
}
