// The routers we manage, and strangers that knock.
import { formatCount } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useList, useLoad } from '../load.ts';
import { LinkButton, PageHead, State, Time } from '../parts/basics.ts';
import { Icon } from '../parts/icon.ts';
import { Listing } from '../parts/list.ts';
import { canManage } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Router, UnknownSource } from '../types.ts';

export function Routers() {
  const manages = canManage(useMe().account.role);
  const list = useList<Router>('/routers');
  return html`<${PageHead} title="Routers" sub="The MikroTik boxes that ask us who may in">
    ${manages && html`<${LinkButton} href="/routers/new" icon="plus" look="primary">Add a router<//>`}<//>
    ${manages && html`<${Knocking} />`}
    <${Listing} list=${list} label="Routers" icon="routers" filtered=${false}
      id=${(router: Router) => router.id}
      href=${manages ? (router: Router) => `/routers/${router.id}` : undefined}
      emptyTitle="No router yet."
      empty=${html`<p class="muted">Add one, then paste the lines it shows into the MikroTik.</p>
        ${
          manages &&
          html`<${LinkButton} href="/routers/new" icon="plus"
          look="primary">Add the first router<//>`
        }`}
      columns=${[
        { label: 'Router', at: 'main', cell: (router: Router) => html`<b>${router.name}</b>` },
        { label: 'State', at: 'end', cell: (router: Router) => html`<${State} state=${router.state} />` },
        { label: 'Address', at: 'sub', cell: (router: Router) => html`<code>${router.address}</code>` },
        {
          label: 'System',
          at: 'none',
          grow: true,
          cell: (router: Router) =>
            html`<span class="muted clip">
              ${router.last_error && router.state !== 'online' ? router.last_error : [router.board, router.version && `RouterOS ${router.version}`].filter(Boolean).join(' · ')}
              </span>`,
        },
        {
          label: 'Last seen',
          at: 'foot',
          cell: (router: Router) =>
            html`<span class="on-phone muted">seen </span><${Time} at=${router.last_seen_at} none="never" />`,
        },
        {
          label: 'Online',
          at: 'sub-end',
          num: true,
          cell: (router: Router) =>
            html`${formatCount(router.online_sessions)}<span class="on-phone muted"> online</span>`,
        },
      ]} />`;
}

/** Sources that send RADIUS packets without being a router of ours. */
function Knocking() {
  const { data } = useLoad<{ items: UnknownSource[] }>('/routers/unknown');
  if (!data || data.items.length === 0) return null;
  return html`<section class="card flush knocking" aria-label="Unknown sources">
    <header class="card-head"><h2><${Icon} name="warning" /> Somebody knocks</h2>
    <span class="muted small">They get silence until they are added</span></header>
    <ul>
      ${data.items.map(
        (source) => html`<li key=${source.address}>
          <span><code>${source.address}</code>
          <small class="muted"> ${formatCount(source.packets)} packets, last <${Time}
            at=${source.last_seen_at} /></small></span>
          <${LinkButton} href=${`/routers/new?address=${encodeURIComponent(source.address)}`}
            icon="plus">Add it<//>
        </li>`,
      )}
    </ul>
  </section>`;
}
