// The frame round every page: side rail on a desktop, tab bar on a phone.
import { html } from '../shared/html.ts';
import { AccountMenu } from './account-menu.ts';
import { ClockBanner } from './clock-banner.ts';
import { DiskBanner } from './disk-banner.ts';
import { LedgerBanner } from './ledger-banner.ts';
import { useConnected } from './live.ts';
import { usePlace } from './navigation.ts';
import { pageFor, pageName } from './page-for.ts';
import { Icon, type IconName, Mark } from './parts/icon.ts';
import { hearsLive, type PageName, pagesFor } from './roles.ts';
import { TITLES } from './titles.ts';
import type { Me, Role } from './types.ts';

const GROUPS: { name: string; pages: PageName[] }[] = [
  { name: '', pages: ['overview', 'sell', 'till'] },
  { name: 'Network', pages: ['sessions', 'subscribers', 'routers', 'sign-ins', 'outages', 'usage'] },
  { name: 'Money', pages: ['payments', 'orders', 'vouchers', 'plans', 'sales', 'ledger'] },
  { name: 'Business', pages: ['settings', 'accounts', 'audit'] },
];

const TABS: PageName[] = ['overview', 'sell', 'sessions', 'vouchers', 'payments'];
/** The day of a cashier. */
const COUNTER_TABS: PageName[] = ['sell', 'till', 'subscribers', 'vouchers'];
const MOST_TABS = 4;

export function Shell(props: { me: Me; onSignedOut: () => Promise<void> }) {
  const { me } = props;
  const place = usePlace();
  const role = me.account.role;
  const current = pageName(place, role);
  return html`<div class="shell">
    <a class="skip" href="#page">Skip to the page</a>
    <${Rail} me=${me} current=${current} onSignedOut=${props.onSignedOut} />
    <main id="page" class="page" tabindex="-1">
      <${DiskBanner} disk=${me.disk} />
      <${ClockBanner} clock=${me.clock} role=${role} />
      <${LedgerBanner} role=${role} />
      ${pageFor(place, role)}
    </main>
    <${Tabs} role=${role} current=${current} />
  </div>`;
}

function Rail({ me, current, onSignedOut }: { me: Me; current?: string; onSignedOut: () => Promise<void> }) {
  const allowed = pagesFor(me.account.role);
  const connected = useConnected();
  return html`<aside class="rail">
    <a class="brand" href="/"><${Mark} /><span><b>Karibu</b><small>${me.business_name}</small></span></a>
    <nav aria-label="Pages">
      ${GROUPS.map(({ name, pages }) => {
        const shown = pages.filter((page) => allowed.includes(page));
        return (
          shown.length > 0 &&
          html`<div class="rail-group" key=${name}>
            ${name && html`<h2>${name}</h2>`}
            ${shown.map((page) => html`<${RailLink} key=${page} page=${page} current=${current} />`)}
          </div>`
        );
      })}
    </nav>
    <footer class="rail-foot">
      ${
        hearsLive(me.account.role) &&
        html`<p class=${`live ${connected ? 'on' : ''}`}
        title=${connected ? 'This page updates by itself' : 'Connecting again…'}><i></i>
          ${connected ? 'Live' : 'Not live'}</p>`
      }
      <${AccountMenu} me=${me} onSignedOut=${onSignedOut} />
    </footer>
  </aside>`;
}

function RailLink({ page, current }: { page: PageName; current?: string }) {
  return html`<a href=${`/${page}`} aria-current=${page === current ? 'page' : undefined}>
    <${Icon} name=${page} />${TITLES[page]}</a>`;
}

function Tabs({ role, current }: { role: Role; current?: string }) {
  const allowed = pagesFor(role);
  const tabs = (role === 'cashier' ? COUNTER_TABS : TABS)
    .filter((page) => allowed.includes(page))
    .slice(0, MOST_TABS);
  const elsewhere = current !== undefined && !tabs.includes(current as PageName);
  const tab = (href: string, icon: IconName, title: string, on: boolean) =>
    html`<a key=${href} href=${href} aria-current=${on ? 'page' : undefined}><${Icon} name=${icon} /><span>
      ${title}</span></a>`;
  return html`<nav class="tabs" aria-label="Pages">
    ${tabs.map((page) => tab(`/${page}`, page, TITLES[page], page === current))}
    ${tab('/more', 'more', 'More', elsewhere)}
  </nav>`;
}
