// Which page shows which address.
import { html, type VNode } from '../shared/html.ts';
import type { Place } from './navigation.ts';
import { Accounts } from './pages/accounts.ts';
import { Audit } from './pages/audit.ts';
import { BatchPage } from './pages/batch.ts';
import { EntitlementPage } from './pages/entitlement.ts';
import { Ledger } from './pages/ledger.ts';
import { More } from './pages/more.ts';
import { OrderPage } from './pages/order.ts';
import { Orders } from './pages/orders.ts';
import { Outages } from './pages/outages.ts';
import { OverviewPage } from './pages/overview.ts';
import { PaymentPage } from './pages/payment.ts';
import { Payments } from './pages/payments.ts';
import { PlanPage } from './pages/plan.ts';
import { Plans } from './pages/plans.ts';
import { Quarantine } from './pages/quarantine.ts';
import { RouterPage } from './pages/router.ts';
import { Routers } from './pages/routers.ts';
import { SalesPage } from './pages/sales.ts';
import { Sell } from './pages/sell.ts';
import { SessionPage } from './pages/session.ts';
import { Sessions } from './pages/sessions.ts';
import { SettingsPage } from './pages/settings.ts';
import { SignIns } from './pages/sign-ins.ts';
import { SlipPage } from './pages/slip.ts';
import { SubscriberPage } from './pages/subscriber.ts';
import { Subscribers } from './pages/subscribers.ts';
import { TillPage } from './pages/till.ts';
import { UsagePage } from './pages/usage.ts';
import { Vouchers } from './pages/vouchers.ts';
import { Empty, PageHead } from './parts/basics.ts';
import { canManage, canOpen, canTakeCash, homePage, type PageName } from './roles.ts';
import type { Role } from './types.ts';

/** The page name that an address belongs to; undefined for one that leads nowhere. */
export function pageName(place: Place, role: Role): PageName | 'more' | undefined {
  const first = place.segments[0];
  if (first === undefined) return homePage(role);
  return first === 'more' || canOpen(role, first as PageName) ? (first as PageName) : undefined;
}

/** The page for an address, as far as the role may see it. */
export function pageFor(place: Place, role: Role): VNode {
  const name = pageName(place, role);
  const id = place.segments[1];
  switch (name) {
    case 'overview':
      return html`<${OverviewPage} />`;
    case 'sell':
      if (id && canTakeCash(role)) return html`<${SlipPage} key=${id} id=${id} />`;
      return html`<${Sell} />`;
    case 'plans':
      if (id && canManage(role)) return html`<${PlanPage} key=${id} id=${id} />`;
      return html`<${Plans} />`;
    case 'vouchers':
      return id ? html`<${BatchPage} key=${id} id=${id} />` : html`<${Vouchers} />`;
    case 'sessions':
      return id ? html`<${SessionPage} key=${id} id=${id} />` : html`<${Sessions} />`;
    case 'subscribers':
      if (id && place.segments[2] === 'entitlements' && place.segments[3]) {
        return html`<${EntitlementPage} key=${place.segments[3]} subscriberId=${id} id=${place.segments[3]} />`;
      }
      return id ? html`<${SubscriberPage} key=${id} id=${id} />` : html`<${Subscribers} />`;
    case 'payments':
      if (id === 'quarantine') return html`<${Quarantine} />`;
      return id ? html`<${PaymentPage} key=${id} id=${id} />` : html`<${Payments} />`;
    case 'orders':
      return id ? html`<${OrderPage} key=${id} id=${id} />` : html`<${Orders} />`;
    case 'routers':
      if (id && canManage(role)) return html`<${RouterPage} key=${id} id=${id} />`;
      return html`<${Routers} />`;
    case 'sign-ins':
      return html`<${SignIns} />`;
    case 'till':
      return html`<${TillPage} key=${id ?? ''} id=${id} />`;
    case 'ledger':
      return html`<${Ledger} />`;
    case 'outages':
      return html`<${Outages} />`;
    case 'sales':
      return html`<${SalesPage} />`;
    case 'usage':
      return html`<${UsagePage} />`;
    case 'settings':
      return html`<${SettingsPage} />`;
    case 'accounts':
      return html`<${Accounts} />`;
    case 'audit':
      return html`<${Audit} />`;
    case 'more':
      return html`<${More} />`;
    default:
      return html`<${PageHead} title="Not here" /><div class="card">
        <${Empty} icon="search" title="There is no such page here."><a href="/">Go to the start</a><//>
        </div>`;
  }
}
