// Tells who manages that the last proof of the ledger failed.
import { html } from '../shared/html.ts';
import { useLoad } from './load.ts';
import { Icon } from './parts/icon.ts';
import { canManage } from './roles.ts';
import type { LedgerAccounts, Role } from './types.ts';

export function LedgerBanner({ role }: { role: Role }) {
  const { data } = useLoad<LedgerAccounts>(canManage(role) ? '/ledger/accounts' : undefined);
  if (!data?.proof || data.proof.ok) return null;
  return html`<div class="banner bad" role="alert"><${Icon} name="warning" /><p>
    <b>The ledger is wrong.</b> ${data.proof.problems[0]} <a href="/ledger">See the ledger</a>
  </p></div>`;
}
