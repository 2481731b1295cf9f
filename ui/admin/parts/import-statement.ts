// The form that takes a statement of the M-PESA portal and says what came of it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatCount, formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useLoad } from '../load.ts';
import type { Page, StatementImport } from '../types.ts';
import { Button, Time } from './basics.ts';
import { Dialog } from './dialog.ts';
import { FormBox, invalid, useForm } from './form.ts';

/** What came of an import, a sentence each. */
export function statementWords(outcome: StatementImport): string[] {
  const some = (count: number, words: string) => (count > 0 ? [`${formatCount(count)} ${words}`] : []);
  return [
    `Payments that Karibu knew: ${formatCount(outcome.matched)} of ${formatCount(outcome.rows)} lines.`,
    ...(outcome.new === 0
      ? ['Nothing was new.']
      : [
          `New: ${formatCount(outcome.new)}, of these ${formatCount(outcome.settled)} settled, ${formatCount(outcome.unmatched)} unmatched.`,
        ]),
    ...some(outcome.reversed, 'marked reversed: the money went back.'),
    ...some(outcome.returned, 'came and went back before Karibu knew of it; nothing was given.'),
    ...some(outcome.others, 'are charges, payouts or not completed.'),
    ...some(outcome.unreadable, 'could not be read.'),
  ];
}

/** While its lines are worked off. */
const LOOK_MS = 700;

/** The import with this id, read again until it is worked off. */
function useImport(id: string | undefined, onDone: () => void): StatementImport | undefined {
  const { data, error, reload } = useLoad<StatementImport>(id && `/statements/${id}`);
  const settling = data !== undefined && data.state !== 'ready';
  const ready = data?.state === 'ready';
  useEffect(() => {
    if (!settling) return undefined;
    const timer = window.setInterval(reload, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [settling, reload]);
  const done = useRef(onDone);
  done.current = onDone;
  // The list behind shows what was found: once, however often that makes it anew.
  useEffect(() => {
    if (ready) done.current();
  }, [ready]);
  return error ? undefined : data;
}

function Progress({ outcome }: { outcome: StatementImport }) {
  const { done, lines } = outcome;
  return html`<div class="form" role="status">
    <p class="num">Settling: ${formatCount(done)} of ${formatCount(lines)} lines.</p>
    <progress max=${Math.max(lines, 1)} value=${done} aria-label="Lines settled"></progress>
    <p class="muted">This goes on when you close the window, and after a power cut.</p>
  </div>`;
}

function Outcome({ outcome }: { outcome: StatementImport }) {
  return html`<div class="form" role="status">
    ${statementWords(outcome).map((words) => html`<p class="num">${words}</p>`)}
    ${
      outcome.to_check.length > 0 &&
      html`<h3>To look at</h3><ul>${outcome.to_check.map(
        ({ receipt, problem }) => html`<li><code>${receipt}</code> ${problem}</li>`,
      )}</ul>`
    }
    ${
      outcome.missing_count > 0 &&
      html`<h3>Not on the statement: ${formatCount(outcome.missing_count)}</h3>
      <p class="muted">Karibu has these payments, M-PESA’s statement has not${
        outcome.from_at !== null &&
        outcome.to_at !== null &&
        html` (it speaks of <${Time} at=${outcome.from_at} /> to <${Time} at=${outcome.to_at} />)`
      }.</p>
      <ul>${outcome.missing.map(
        (payment) =>
          html`<li><a href=${`/payments/${payment.id}`}>${payment.receipt ?? 'no receipt yet'}</a>
          ${' '}<span class="num">${formatMoney(payment.amount_cents)}</span> <${Time} at=${payment.received_at} /></li>`,
      )}</ul>`
    }
  </div>`;
}

export function ImportStatement({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const form = useForm({});
  const [file, setFile] = useState<File | undefined>();
  const [sent, setSent] = useState<string | undefined>();
  const last = useLoad<Page<StatementImport>>('/statements?limit=1').data?.items[0];
  const under = last?.state === 'settling' ? last.id : undefined;
  const outcome = useImport(sent ?? under, onDone);
  const send = async () => {
    if (!file) throw invalid({ text: 'Choose the file first.' });
    setSent((await post<StatementImport>('/payments/statement', { text: await file.text() })).id);
  };
  return html`<${Dialog} title="Import statement" onClose=${onClose}>
    ${
      outcome
        ? html`<div class="form">${outcome.state === 'ready' ? html`<${Outcome} outcome=${outcome} />` : html`<${Progress} outcome=${outcome} />`}
          <div class="form-foot"><${Button} look="primary" onClick=${onClose}>${
            outcome.state === 'ready' ? 'Done' : 'Close'
          }<//></div></div>`
        : html`<${FormBox} form=${form} act=${send}>
          <p class="muted">The organisation statement as CSV, from the M-PESA portal. What Karibu missed is settled, what
            it knows stays as it is; the same file twice does no harm.</p>
          <div class=${`field ${form.errors.text ? 'has-error' : ''}`}>
            <label class="label" for="statement-file">File</label>
            <input id="statement-file" type="file" accept=".csv,text/csv"
              aria-invalid=${form.errors.text ? 'true' : undefined}
              onChange=${(event: Event) => setFile((event.target as HTMLInputElement).files?.[0])} />
            ${form.errors.text && html`<p class="error" role="alert">${form.errors.text}</p>`}
          </div>
          ${
            last?.state === 'ready' &&
            html`<p class="muted">Last import: <${Time} at=${last.created_at} />, ${formatCount(last.rows)} lines, ${formatCount(last.new)} new.</p>`
          }
          <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Import<//></div>
        <//>`
    }
  <//>`;
}
