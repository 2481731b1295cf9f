// Who is connected, live.
import { useEffect, useRef } from 'preact/hooks';
import { formatElapsed, formatMsisdn, formatOctets } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { type LiveEvents, useConnected, useLive } from '../live.ts';
import { type Listed, useList } from '../load.ts';
import { setQuery, usePlace } from '../navigation.ts';
import { PageHead, State, Time } from '../parts/basics.ts';
import { disconnectAnswer } from '../parts/disconnect.ts';
import { type Column, Listing, Search, Segments, Toolbar } from '../parts/list.ts';
import { endWords } from '../parts/session-words.ts';
import type { Session } from '../types.ts';

const REFRESH_MS = 800;

/** Keeps a list of sessions in step with the event stream. */
export function useLiveSessions(list: Listed<Session>): void {
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  useLive('session', (event: LiveEvents['session']) => {
    const known = list.items.some((session) => session.id === event.id);
    if (known)
      list.change((items) =>
        items.map((session) => (session.id === event.id ? { ...session, ...event } : session)),
      );
    // A new one, or one that ended: read the first page again, once for a burst of events.
    if (known && event.state === 'open') return;
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(list.reload, REFRESH_MS);
  });
}

export const SESSION_COLUMNS: Column<Session>[] = [
  {
    label: 'Who',
    at: 'main',
    cell: (session) => html`<span class="who-cell">
      <b class="num">${session.msisdn ? formatMsisdn(session.msisdn) : session.username}</b>
      ${session.msisdn && html`<small class="off-phone muted mono">${session.username}</small>`}
    </span>`,
  },
  {
    label: 'Plan',
    at: 'sub',
    cell: (session) =>
      html`${session.plan_name ?? '–'}${
        session.state === 'open' &&
        session.ends_at !== null &&
        html`<span class="on-phone muted"> · ends <${Time} at=${session.ends_at} /></span>`
      }`,
  },
  {
    label: 'Address',
    at: 'none',
    cell: (session) => html`<span class="who-cell">
      <span class="mono">${session.ip ?? '–'}</span><small class="muted mono">${session.mac}</small>
    </span>`,
  },
  { label: 'Router', at: 'none', cell: (session) => session.router_name ?? '–' },
  { label: 'Time', at: 'sub-end', num: true, cell: (session) => formatElapsed(session.session_seconds) },
  {
    label: 'Data',
    at: 'end',
    num: true,
    cell: (session) => html`<span class="data-cell">
      <span title="download">↓ ${formatOctets(session.download_octets)}</span>
      <span class="muted" title="upload">↑ ${formatOctets(session.upload_octets)}</span>
    </span>`,
  },
  { label: 'State', at: 'foot', cell: (session) => html`<${SessionState} session=${session} />` },
];

/** An open session says it on a phone only when something is going on: the list is of open ones anyway. */
function SessionState({ session }: { session: Session }) {
  if (session.state === 'open' && session.disconnect_state) {
    return html`<${State} state=${session.disconnect_state} word=${disconnectAnswer(session)} />`;
  }
  if (session.state === 'open') {
    return html`<span class="off-phone">
      <${State} state="open" word=${session.ends_at ? 'open, ends' : 'open'} />
      ${session.ends_at && html` <${Time} at=${session.ends_at} />`}</span>`;
  }
  return html`<${State} state="closed" word=${endWords(session.terminate_cause_name)} />
    <span class="muted"> · <${Time} at=${session.stopped_at} /></span>`;
}

export function Sessions() {
  const { query } = usePlace();
  const state = query.get('state') ?? 'open';
  const q = query.get('q') ?? '';
  const router = query.get('router_id') ?? '';
  const list = useList<Session>('/sessions', {
    state: state === 'all' ? undefined : state,
    q,
    router_id: router,
  });
  const connected = useConnected();
  useLiveSessions(list);
  return html`<${PageHead} title="Sessions"
    sub=${connected ? html`<span class="pulse"></span>Live` : 'Not live: connecting again…'} />
    <${Toolbar}>
      <${Search} value=${q} placeholder="User name, phone or MAC"
        onSearch=${(text: string) => setQuery({ q: text })} />
      <${Segments} label="State" value=${state}
        onPick=${(picked: string) => setQuery({ state: picked === 'open' ? undefined : picked })} options=${[
          ['open', 'Open'],
          ['closed', 'Closed'],
          ['all', 'All'],
        ]} />
    <//>
    <${Listing} list=${list} label="Sessions" icon="sessions"
      filtered=${q !== '' || router !== '' || state === 'closed'}
        onClear=${() => setQuery({ q: undefined, state: undefined, router_id: undefined })}
      wider=${
        q !== '' && state !== 'all'
          ? {
              label: `Search ${state === 'open' ? 'closed' : 'open'} ones too`,
              onPick: () => setQuery({ state: 'all' }),
            }
          : undefined
      }
      id=${(session: Session) => session.id} href=${(session: Session) => `/sessions/${session.id}`}
      columns=${SESSION_COLUMNS}
      emptyTitle="Nobody is online."
      empty=${html`<p class="muted">A guest who connects appears here by itself.</p>`} />`;
}
