// The ledger: every account as it stands, and what moved, by account and day.
import { exactTime, formatMoney } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import { useList, useLoad } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { Button, Card, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { Choice } from '../parts/form.ts';
import { Listing, Table, Toolbar } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { LedgerAccount, LedgerAccounts, LedgerEntry, LedgerProof } from '../types.ts';

export function Ledger() {
  const { query } = usePlace();
  const [account, day] = [query.get('account') ?? '', query.get('day') ?? ''];
  const books = useLoad<LedgerAccounts>(day ? `/ledger/accounts?day=${day}` : '/ledger/accounts');
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
  const proof = books.data?.proof;
  return html`<${PageHead} title="Ledger" sub="Every shilling, twice">
      <${Button} icon="check" onClick=${prove}>Prove it now<//><//>
    ${
      proof &&
      html`<p class="muted"><${State} state=${proof.ok ? 'settled' : 'failed'} word=${proof.ok ? 'proved' : 'wrong'} />
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
          label: 'When',
          at: 'end',
          cell: (entry: LedgerEntry) =>
            html`<span title=${exactTime(entry.at)}><${Time} at=${entry.at} /></span>`,
        },
        {
          label: 'Lines',
          at: 'sub',
          grow: true,
          cell: (entry: LedgerEntry) =>
            html`<span class="num">${entry.lines.map((line) => html`<span key=${line.account}>${names.get(line.account) ?? line.account} ${formatMoney(line.amount_cents)} </span>`)}</span>`,
        },
        {
          label: 'Note',
          at: 'foot',
          cell: (entry: LedgerEntry) =>
            html`<span class="muted">${entry.note ?? ''}${entry.actor ? ` ${entry.actor}` : ''}</span>`,
        },
      ]} />`;
}
