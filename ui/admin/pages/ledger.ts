// The ledger: every account as it stands, and what moved, by account and day.
import { useRef, useState } from 'preact/hooks';
import { formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useList, useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Button, Card, Failure, Loading, Money, PageHead, State, Time } from '../parts/basics.ts';
import { ask, Dialog } from '../parts/dialog.ts';
import { Choice, centsOf, Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { newKey } from '../parts/idempotency.ts';
import { Listing, Table, Toolbar } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { useMe } from '../signed-in.ts';
import type { LedgerAccount, LedgerAccounts, LedgerEntry, LedgerProof } from '../types.ts';

export function Ledger() {
  const { query } = usePlace();
  const [account, day] = [query.get('account') ?? '', query.get('day') ?? ''];
  const books = useLoad<LedgerAccounts>(day ? `/ledger/accounts?day=${day}` : '/ledger/accounts');
  const owns = useMe().account.role === 'owner';
  const [moving, setMoving] = useState(false);
  const list = useList<LedgerEntry>('/ledger/entries', { account, day });
  const names = new Map((books.data?.items ?? []).map((one) => [one.account, one.name]));
  const prove = async () => {
    try {
      const proof = await post<LedgerProof>('/ledger/proof');
      tell(proof.ok ? 'The ledger is right.' : 'The ledger is wrong.');
      books.reload();
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const changed = () => {
    books.reload();
    list.reload();
  };
  const takeBack = async (entry: LedgerEntry) => {
    const sure = await ask({
      title: `Take back “${entry.note}”, ${formatMoney(movedCents(entry))}?`,
      body: html`<p>The opposite is booked; both stay in the ledger.</p>`,
      reason: 'Why?',
      confirm: 'Take it back',
    });
    if (!sure) return;
    try {
      await post(`/ledger/entries/${entry.id}/take-back`, { reason: sure.reason });
      tell('Taken back.');
      changed();
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const proof = books.data?.proof;
  return html`<${PageHead} title="Ledger" sub="Every shilling, twice">
      <${Button} icon="check" onClick=${prove}>Prove it now<//>
      ${owns && books.data && html`<${Button} icon="plus" look="primary" onClick=${() => setMoving(true)}>Move money<//>`}
    <//>
    ${
      moving &&
      html`<${MoveMoney} accounts=${books.data?.items.filter((one) => one.by_hand) ?? []}
        onClose=${(moved: boolean) => {
          setMoving(false);
          if (moved) changed();
        }} />`
    }
    ${
      proof &&
      html`<p class="muted list-note"><${State} state=${proof.ok ? 'settled' : 'failed'} word=${proof.ok ? 'proved' : 'wrong'} />
      ${' '}<${Time} at=${proof.at} />, ${proof.entries} entries, ${proof.payments} payments</p>`
    }
    ${proof && !proof.ok && html`<div class="banner bad" role="alert"><ul>${proof.problems.map((one) => html`<li key=${one}>${one}</li>`)}</ul></div>`}
    ${!books.data && html`<div class="card">${books.error ? html`<${Failure} error=${books.error} onRetry=${books.reload} />` : html`<${Loading} />`}</div>`}
    ${
      books.data &&
      html`<${Card} class="flush" title="Accounts"><${Table} label="Accounts" rows=${books.data.items}
        id=${(one: LedgerAccount) => one.account}
        columns=${[
          { label: 'Account', at: 'main', grow: true, cell: (one: LedgerAccount) => one.name },
          {
            label: day || 'Today',
            at: 'sub',
            num: true,
            cell: (one: LedgerAccount) => html`<span class="muted">${formatMoney(one.day_cents)}</span>`,
          },
          {
            label: 'Balance',
            at: 'end',
            num: true,
            cell: (one: LedgerAccount) => html`<b>${formatMoney(one.balance_cents)}</b>`,
          },
        ]} /><//>`
    }
    <${Toolbar}>
      <${Choice} aria-label="Account" value=${account}
        options=${[['', 'All accounts'], ...[...names].map(([id, name]) => [id, name] as [string, string])]}
        onInput=${(event: Event) => setQuery({ account: (event.target as HTMLSelectElement).value })} />
      <input class="input" type="date" aria-label="Day" value=${day}
        onInput=${(event: Event) => setQuery({ day: (event.target as HTMLInputElement).value })} />
    <//>
    <${Listing} list=${list} label="Entries" icon="orders" filtered=${account !== '' || day !== ''}
      onClear=${() => setQuery({ account: undefined, day: undefined })} emptyTitle="Nothing is booked yet."
      empty=${html`<p class="muted">Each payment writes its entry by itself.</p>`}
      id=${(entry: LedgerEntry) => entry.id}
      columns=${[
        {
          label: 'What',
          at: 'main',
          cell: (entry: LedgerEntry) =>
            html`<b>${entry.payment_id ? html`<a href=${`/payments/${entry.payment_id}`}>${entry.kind}</a>` : entry.kind}</b>`,
        },
        {
          label: 'Amount',
          at: 'end',
          num: true,
          cell: (entry: LedgerEntry) => html`<${Money} cents=${movedCents(entry)} />`,
        },
        {
          label: 'From → to',
          at: 'sub',
          grow: true,
          cell: (entry: LedgerEntry) => html`<span class="num">${way(entry, names)}</span>`,
        },
        { label: 'When', at: 'sub-end', cell: (entry: LedgerEntry) => html`<${Time} at=${entry.at} />` },
        {
          label: 'Note',
          at: 'foot',
          cell: (entry: LedgerEntry) =>
            html`<span class="row-note"><span class="muted">${[entry.note, entry.actor].filter(Boolean).join(' · ')}</span>
              ${
                entry.taken_back
                  ? html`<${State} state="reversed" word="taken back" />`
                  : owns &&
                    canTakeBack(entry) &&
                    html`<${Button} look="quiet" icon="undo" onClick=${() => takeBack(entry)}>Take back<//>`
              }</span>`,
        },
      ]} />`;
}

/** What an entry moved: the sum of what came into its accounts. */
export function movedCents({ lines }: Pick<LedgerEntry, 'lines'>): number {
  return lines.reduce((sum, line) => sum + Math.max(0, line.amount_cents), 0);
}

/** `Sales → Cash in tills`; where one side has several accounts, each with its amount. */
export function way({ lines }: Pick<LedgerEntry, 'lines'>, names: Map<string, string>): string {
  const side = (sign: 1 | -1) => {
    const moved = lines.filter((line) => Math.sign(line.amount_cents) === sign);
    const name = (line: (typeof moved)[number]) => names.get(line.account) ?? line.account;
    return moved
      .map((line) =>
        moved.length > 1 ? `${name(line)} ${formatMoney(Math.abs(line.amount_cents))}` : name(line),
      )
      .join(', ');
  };
  return `${side(-1)} → ${side(1)}`;
}

/** A move by hand that is not itself an opposite; a till takes its own back. */
function canTakeBack(entry: LedgerEntry): boolean {
  return entry.kind === 'move' && entry.till_session_id === null && !entry.cause.startsWith('taken back:');
}

function MoveMoney(props: { accounts: LedgerAccount[]; onClose: (moved: boolean) => void }) {
  const { accounts, onClose } = props;
  const form = useForm({ from: 'mpesa', to: 'bank', amount: '', note: '' });
  const key = useRef(newKey()); // The same key on a second try: a lost answer must not move it twice.
  const options = accounts.map((one) => [one.account, one.name] as [string, string]);
  const move = async (values: Values) => {
    const { from, to, note } = values;
    if (from === to) throw invalid({ to: 'Choose another account.' });
    const body = { from, to, note, amount_cents: centsOf(values, 'amount') };
    await post('/ledger/entries', body, { 'idempotency-key': key.current });
    tell(`${formatMoney(body.amount_cents)} moved.`);
    onClose(true);
  };
  return html`<${Dialog} title="Move money" onClose=${() => onClose(false)}>
    <${FormBox} form=${form} act=${move}>
      <p class="muted">What moved outside Karibu: M-PESA withdrawn to the bank, a fee, cash you took, a correction.</p>
      <${Field} form=${form} name="from" label="Out of" options=${options} />
      <${Field} form=${form} name="to" label="Into" options=${options} />
      <${Field} form=${form} name="amount" label="Amount" prefix="KES" inputmode="decimal" autofocus />
      <${Field} form=${form} name="note" label="What it was" maxlength=${200} placeholder="Withdrawn to Equity on Friday" />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Move it<//>
      <${Button} look="quiet" onClick=${() => onClose(false)}>Cancel<//></div>
    <//>
  <//>`;
}
