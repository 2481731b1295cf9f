// The signed-in account: its password, light or dark, and the way out.
import { useState } from 'preact/hooks';
import { html } from '../shared/html.ts';
import { post } from './api.ts';
import { Button } from './parts/basics.ts';
import { Dialog } from './parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from './parts/form.ts';
import { Segments } from './parts/list.ts';
import { tell, tellFailure } from './parts/toast.ts';
import { applyTheme, readTheme, type Theme } from './theme.ts';
import type { Me } from './types.ts';

export const MIN_PASSWORD = 8;

export function AccountMenu({ me, onSignedOut }: { me: Me; onSignedOut: () => Promise<void> }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="account-button" onClick=${() => setOpen(true)}>
      <span class="initial" aria-hidden="true">${me.account.name.slice(0, 1).toUpperCase()}</span>
      <span class="who"><b>${me.account.name}</b><small>${me.account.role}</small></span>
    </button>
    ${
      open &&
      html`<${Dialog} title="Your account" onClose=${() => setOpen(false)}>
    <${AccountPanel} me=${me} onSignedOut=${onSignedOut} /><//>`
    }`;
}

/** The same for the rail's dialog and for the phone's More page. */
export function AccountPanel({ me, onSignedOut }: { me: Me; onSignedOut: () => Promise<void> }) {
  const [theme, setTheme] = useState<Theme>(readTheme());
  const [changing, setChanging] = useState(false);
  const signOut = async () => {
    try {
      await post('/auth/logout');
      await onSignedOut();
    } catch (failure) {
      tellFailure(failure);
    }
  };
  return html`<div class="account-panel">
    <p><b>${me.account.name}</b> <span class="muted">${me.account.role}</span><br /><span class="muted">
    ${me.account.email}</span></p>
    <div class="pair"><span>Look</span>
      <${Segments} label="Look" value=${theme} options=${[
        ['auto', 'Auto'],
        ['light', 'Light'],
        ['dark', 'Dark'],
      ]} onPick=${(picked: Theme) => {
        applyTheme(picked);
        setTheme(picked);
      }} />
    </div>
    ${
      changing
        ? html`<${PasswordForm} onDone=${() => setChanging(false)} />`
        : html`<${Button}
      onClick=${() => setChanging(true)}>Change password<//>`
    }
    <${Button} icon="out" onClick=${signOut}>Sign out<//>
    <p class="muted small">Karibu ${me.version}</p>
  </div>`;
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  const form = useForm({ current_password: '', password: '' });
  const save = async (values: Values) => {
    if ((values.password ?? '').length < MIN_PASSWORD) {
      throw invalid({ password: `Use ${MIN_PASSWORD} characters or more.` });
    }
    await post('/auth/password', values);
    tell('Password changed.');
    onDone();
  };
  return html`<${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="current_password" label="Current password" type="password"
      autocomplete="current-password" />
    <${Field} form=${form} name="password" label="New password" type="password" autocomplete="new-password"
      hint=${`${MIN_PASSWORD} characters or more`} />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Change password<//>
    <${Button} look="quiet" onClick=${onDone}>Cancel<//></div>
  <//>`;
}
