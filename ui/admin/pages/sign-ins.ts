// The last sign-ins on the network: who was let in, who was refused, and why.
import { useState } from 'preact/hooks';
import { formatWord } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { del } from '../api.ts';
import { useLoad } from '../load.ts';
import { Button, Empty, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { Search, Segments, Table, Toolbar } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { Lockout, SignIn } from '../types.ts';

export function SignIns() {
  const { data, error, loading, reload } = useLoad<{ items: SignIn[]; lockouts: Lockout[] }>(
    '/reports/access-log',
  );
  const [q, setQ] = useState('');
  const [result, setResult] = useState('');
  const wanted = q.toLowerCase();
  const rows = (data?.items ?? []).filter(
    (row) =>
      (result === '' || row.result === result) &&
      [row.username, row.mac, row.router_name, row.reason].some((text) =>
        text?.toLowerCase().includes(wanted),
      ),
  );
  return html`<${PageHead} title="Sign-in log" sub="The last 200 answers to routers">
    <${Button} icon="refresh" busy=${loading} onClick=${reload}>Refresh<//><//>
    ${data?.lockouts.map(
      (one) =>
        html`<div class="banner warn" role="status" key=${`${one.router_id} ${one.mac}`}><div><p>${
          one.mac
            ? html`<code>${one.mac}</code> at ${one.router_name} is locked out after ${one.failures} wrong sign-ins. Ends `
            : html`${one.failures} wrong sign-ins through ${one.router_name}: wrong ones are answered slowly. Ends `
        }<${Time} at=${one.until_at} /></p>
          ${one.mac && html`<${LetItTry} lockout=${one} onDone=${reload} />`}</div></div>`,
    )}
    <${Toolbar}>
      <${Search} value=${q} placeholder="User name, MAC or router" onSearch=${setQ} />
      <${Segments} label="Result" value=${result} onPick=${setResult} options=${[
        ['', 'All'],
        ['accept', 'Accepted'],
        ['reject', 'Rejected'],
      ]} />
    <//>
    <div class="card flush">
      ${data && error && html`<${Failure} error=${error} onRetry=${reload} />`}
      ${!data && (error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`)}
      ${
        data &&
        rows.length === 0 &&
        html`<${Empty} icon="sign-ins"
        title=${data.items.length ? 'Nothing matches.' : 'No sign-in yet.'}><p class="muted">
          ${data.items.length ? '' : 'When a phone signs in through a router, the answer is shown here.'}</p>
          <//>`
      }
      ${
        rows.length > 0 &&
        html`<${Table} label="Sign-ins" rows=${rows}
          id=${(row: SignIn) => `${row.at} ${row.username} ${row.mac}`} columns=${[
            {
              label: 'User name',
              at: 'main',
              cell: (row: SignIn) => html`<code>${row.username || '–'}</code>`,
            },
            {
              label: 'Result',
              at: 'end',
              cell: (row: SignIn) =>
                html`<${State} state=${row.result}
                word=${row.result === 'accept' ? 'accepted' : 'rejected'} />`,
            },
            {
              label: 'Why',
              at: 'sub',
              grow: true,
              cell: (row: SignIn) =>
                html`${row.reason && row.reason !== row.result && html`<span>${formatWord(row.reason)}</span>`}
                ${row.reason && row.reason !== row.result && row.message && html`<span class="muted"> · </span>`}
                <span class="muted">${row.message}</span>`,
            },
            { label: 'Device', at: 'none', cell: (row: SignIn) => html`<code>${row.mac ?? '–'}</code>` },
            { label: 'Router', at: 'none', cell: (row: SignIn) => row.router_name ?? '–' },
            { label: 'When', at: 'sub-end', cell: (row: SignIn) => html`<${Time} at=${row.at} />` },
          ]} />`
      }
    </div>`;
}

/** For the guest who stands at the counter and cannot wait for the end of the lockout. */
function LetItTry({ lockout, onDone }: { lockout: Lockout; onDone: () => void }) {
  const [busy, setBusy] = useState(false);
  const release = async () => {
    setBusy(true);
    try {
      await del(`/routers/${lockout.router_id}/lockouts/${encodeURIComponent(lockout.mac as string)}`);
      tell(`${lockout.mac} may try again.`);
    } catch (failure) {
      tellFailure(failure);
    } finally {
      setBusy(false);
      onDone();
    }
  };
  return html`<${Button} busy=${busy} onClick=${release}>Let it try again<//>`;
}
