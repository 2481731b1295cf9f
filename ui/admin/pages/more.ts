// The phone's last tab: every page that has no tab, and the account.
import { html } from '../../shared/html.ts';
import { AccountPanel } from '../account-menu.ts';
import { PageHead } from '../parts/basics.ts';
import { Icon } from '../parts/icon.ts';
import { pagesFor } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import { TITLES } from '../titles.ts';

export function More() {
  const me = useMe();
  return html`<${PageHead} title="More" sub=${me.business_name} />
    <nav class="card flush more-list" aria-label="All pages">
      ${pagesFor(me.account.role).map(
        (page) =>
          html`<a key=${page} href=${`/${page}`}><${Icon} name=${page} /><span>${TITLES[page]}</span>
            <${Icon} name="forward" /></a>`,
      )}
    </nav>
    <section class="card"><${AccountPanel} me=${me} onSignedOut=${async () => window.location.assign('/')} />
    </section>`;
}
