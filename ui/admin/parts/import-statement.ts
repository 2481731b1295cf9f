// The form that takes a statement of the M-PESA portal and says what came of it.
import { useState } from 'preact/hooks';
import { formatCount, formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import type { StatementOutcome } from '../types.ts';
import { Button, Time } from './basics.ts';
import { Dialog } from './dialog.ts';
import { FormBox, invalid, useForm } from './form.ts';

/** What came of an import, a sentence each. */
export function statementWords(outcome: StatementOutcome): string[] {
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

function Outcome({ outcome }: { outcome: StatementOutcome }) {
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
      <p class="muted">Karibu has these payments of the same time, M-PESA’s statement has not.</p>
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
  const [outcome, setOutcome] = useState<StatementOutcome | undefined>();
  const send = async () => {
    if (!file) throw invalid({ text: 'Choose the file first.' });
    setOutcome(await post<StatementOutcome>('/payments/statement', { text: await file.text() }));
    onDone();
  };
  return html`<${Dialog} title="Import statement" onClose=${onClose}>
    ${
      outcome
        ? html`<${Outcome} outcome=${outcome} /><div class="form-foot"><${Button} look="primary" onClick=${onClose}>Done<//></div>`
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
          <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Import<//></div>
        <//>`
    }
  <//>`;
}
