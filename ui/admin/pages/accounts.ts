// The persons who may sign in here.
import { useState } from 'preact/hooks';
import { html } from '../../shared/html.ts';
import { MIN_PASSWORD } from '../account-menu.ts';
import { patch, post } from '../api.ts';
import { useList } from '../load.ts';
import { Button, PageHead, State, Time } from '../parts/basics.ts';
import { Dialog } from '../parts/dialog.ts';
import { Field, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { Listing } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import { useMe } from '../signed-in.ts';
import type { Account } from '../types.ts';

const ROLES: [string, string][] = [
  ['cashier', 'Cashier: sells vouchers'],
  ['support', 'Support: looks and disconnects'],
  ['admin', 'Admin: everything but accounts'],
  ['owner', 'Owner: everything'],
  ['reseller', 'Reseller: sells vouchers'],
];

export function Accounts() {
  const me = useMe();
  const list = useList<Account>('/accounts');
  const [open, setOpen] = useState<Account | 'new' | undefined>();
  const turn = async (account: Account, state: Account['state']) => {
    try {
      await patch(`/accounts/${account.id}`, { state });
      list.reload();
      if (state === 'disabled')
        tell(`${account.name} can no longer sign in.`, {
          label: 'Undo',
          run: () => void turn(account, 'active'),
        });
      else tell(`${account.name} can sign in again.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const acts = (account: Account) => html`<span class="row-acts">
    <${Button} look="quiet" onClick=${() => setOpen(account)}>Edit<//>
    ${
      account.id !== me.account.id &&
      html`<${Button} look="quiet"
      onClick=${() => turn(account, account.state === 'active' ? 'disabled' : 'active')}>
        ${account.state === 'active' ? 'Disable' : 'Enable'}<//>`
    }
  </span>`;
  return html`<${PageHead} title="Accounts" sub="Who may sign in here">
    <${Button} icon="plus" look="primary" onClick=${() => setOpen('new')}>New account<//><//>
    <${Listing} list=${list} label="Accounts" icon="accounts" filtered=${false} id=${(row: Account) => row.id}
      emptyTitle="No account." empty=${null}
      columns=${[
        {
          label: 'Name',
          at: 'main',
          cell: (row: Account) =>
            html`<span class="who-cell"><b>${row.name}${row.id === me.account.id ? ' (you)' : ''}</b>
              <small class="muted">${row.email}</small></span>`,
        },
        { label: 'Role', at: 'sub', cell: (row: Account) => row.role },
        { label: 'State', at: 'sub-end', cell: (row: Account) => html`<${State} state=${row.state} />` },
        {
          label: 'Last sign-in',
          at: 'foot',
          grow: true,
          cell: (row: Account) =>
            html`<span class="on-phone muted">last sign-in </span>
              <${Time} at=${row.last_login_at} none="never" />`,
        },
        { label: '', at: 'end', cell: acts },
      ]} />
    ${
      open &&
      html`<${AccountForm} account=${open === 'new' ? undefined : open} onClose=${(changed: boolean) => {
        setOpen(undefined);
        if (changed) list.reload();
      }} />`
    }`;
}

function AccountForm({ account, onClose }: { account?: Account; onClose: (changed: boolean) => void }) {
  const form = useForm({
    name: account?.name ?? '',
    email: account?.email ?? '',
    role: account?.role ?? 'cashier',
    password: '',
  });
  const save = async ({ name = '', email = '', role = '', password = '' }: Values) => {
    if ((!account || password) && password.length < MIN_PASSWORD) {
      throw invalid({ password: `Use ${MIN_PASSWORD} characters or more.` });
    }
    if (account) await patch(`/accounts/${account.id}`, { name, role, ...(password ? { password } : {}) });
    else await post('/accounts', { name, email, role, password });
    tell(account ? `${name} saved.` : `${name} can sign in now.`);
    onClose(true);
  };
  return html`<${Dialog} title=${account ? account.name : 'New account'} onClose=${() => onClose(false)}>
    <${FormBox} form=${form} act=${save}>
      <${Field} form=${form} name="name" label="Name" autofocus />
      <${Field} form=${form} name="email" label="E-mail" type="email" disabled=${account !== undefined} />
      <${Field} form=${form} name="role" label="Role" options=${ROLES} />
      <${Field} form=${form} name="password" label=${account ? 'New password' : 'Password'} type="password"
        autocomplete="new-password" required=${account ? false : undefined}
          hint=${account ? 'Leave empty to keep the one they have' : `${MIN_PASSWORD} characters or more. They can change it.`} />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>
      ${account ? 'Save' : 'Create account'}<//>
      <${Button} look="quiet" onClick=${() => onClose(false)}>Cancel<//></div>
    <//>
  <//>`;
}
