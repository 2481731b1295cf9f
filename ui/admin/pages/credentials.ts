// The credentials of a subscriber, and the forms for those of a home.
import { useState } from 'preact/hooks';
import { html } from '../../shared/html.ts';
import { del, patch, post } from '../api.ts';
import { useList } from '../load.ts';
import { Button, Facts, State, Time } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { ask, Dialog } from '../parts/dialog.ts';
import { Field, FormBox, useForm, type Values } from '../parts/form.ts';
import { Listing } from '../parts/list.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { Credential, Router } from '../types.ts';

type Secret = Credential & { password?: string };

export function Credentials({ id, manages }: { id: string; manages: boolean }) {
  const list = useList<Credential>(`/subscribers/${id}/credentials`);
  const [open, setOpen] = useState<Credential | 'new' | undefined>();
  const [told, setTold] = useState<Secret | undefined>();
  const turn = async (credential: Credential, state: Credential['state']) => {
    try {
      await patch(`/credentials/${credential.id}`, { state });
      list.reload();
      if (state === 'disabled')
        tell(`${credential.username} can no longer sign in.`, {
          label: 'Undo',
          run: () => void turn(credential, 'active'),
        });
      else tell(`${credential.username} can sign in again.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const remove = async (credential: Credential) => {
    const sure = await ask({
      title: `Remove ${credential.username}?`,
      body: html`<p>It was never used. This cannot be undone.</p>`,
      confirm: 'Remove',
    });
    if (!sure) return;
    try {
      await del(`/credentials/${credential.id}`);
      list.reload();
      tell(`${credential.username} removed.`);
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const acts = (credential: Credential) =>
    manages &&
    credential.kind === 'pppoe' &&
    html`<span class="row-acts"><${Button} look="quiet" onClick=${() => setOpen(credential)}>Edit<//>
      <${Button} look="quiet"
        onClick=${() => turn(credential, credential.state === 'active' ? 'disabled' : 'active')}>
        ${credential.state === 'active' ? 'Disable' : 'Enable'}<//>
      <${Button} look="quiet" onClick=${() => remove(credential)}>Remove…<//></span>`;
  return html`${
    manages &&
    html`<p class="list-acts">
      <${Button} icon="plus" onClick=${() => setOpen('new')}>New PPPoE credential<//></p>`
  }
    <${Listing} list=${list} label="Credentials" icon="accounts" filtered=${false}
      id=${(row: Credential) => row.id} emptyTitle="No credential." empty=${null}
      columns=${[
        { label: 'User name', at: 'main', cell: (row: Credential) => html`<code>${row.username}</code>` },
        {
          label: 'Kind',
          at: 'sub',
          cell: (row: Credential) => (row.kind === 'pppoe' ? 'PPPoE' : row.kind),
        },
        {
          label: 'Device or address',
          at: 'foot',
          grow: true,
          cell: (row: Credential) => html`<code>${row.static_address ?? row.device_mac ?? '–'}</code>`,
        },
        { label: 'State', at: 'sub-end', cell: (row: Credential) => html`<${State} state=${row.state} />` },
        { label: 'Made', at: 'none', cell: (row: Credential) => html`<${Time} at=${row.created_at} />` },
        { label: '', at: 'end', cell: acts },
      ]} />
    ${
      open &&
      html`<${CredentialForm} subscriberId=${id} credential=${open === 'new' ? undefined : open}
        onClose=${(changed?: Secret) => {
          setOpen(undefined);
          if (!changed) return;
          list.reload();
          if (changed.password) setTold(changed);
        }} />`
    }
    ${told && html`<${Password} credential=${told} onClose=${() => setTold(undefined)} />`}`;
}

interface FormProps {
  subscriberId: string;
  credential?: Credential;
  onClose: (changed?: Secret) => void;
}

function CredentialForm({ subscriberId, credential, onClose }: FormProps) {
  const routers = useList<Router>('/routers', {});
  const form = useForm({
    username: credential?.username ?? '',
    password: '',
    renew: 'keep',
    static_address: credential?.static_address ?? '',
    router_id: credential?.router_id ?? '',
  });
  const save = async ({ username, password, renew, static_address, router_id }: Values) => {
    const place = { static_address: static_address || null, router_id: router_id || null };
    if (!credential) {
      const made = { subscriber_id: subscriberId, username, ...(password ? { password } : {}), ...place };
      onClose(await post<Secret>('/credentials', made));
      return;
    }
    const secret = renew === 'keep' ? {} : { password: renew === 'typed' ? password : '' };
    onClose(await patch<Secret>(`/credentials/${credential.id}`, { ...place, ...secret }));
    tell(`${credential.username} saved.`);
  };
  const types = !credential || form.values.renew === 'typed';
  return html`<${Dialog} title=${credential ? credential.username : 'New PPPoE credential'} onClose=${() => onClose()}>
    <${FormBox} form=${form} act=${save}>
      ${
        credential
          ? html`<${Field} form=${form} name="renew" label="Password" options=${[
              ['keep', 'Keep it'],
              ['made', 'Make a new one'],
              ['typed', 'Write a new one'],
            ]} hint="A new password ends the live session" />`
          : html`<${Field} form=${form} name="username" label="User name" mono autofocus placeholder="mwangi-gate4" />`
      }
      ${
        types &&
        html`<${Field} form=${form} name="password" label=${credential ? 'New password' : 'Password'} mono
          required=${credential ? undefined : false} hint=${credential ? undefined : 'Empty: one is made'} />`
      }
      <${Field} form=${form} name="static_address" label="Static address" mono inputmode="decimal" required=${false}
        placeholder="from the pool" hint="The session gets this address each time" />
      <${Field} form=${form} name="router_id" label="Router" options=${[
        ['', 'Any router'],
        ...routers.items.map((router) => [router.id, router.name]),
      ]} />
      <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>
      ${credential ? 'Save' : 'Create credential'}<//>
      <${Button} look="quiet" onClick=${() => onClose()}>Cancel<//></div>
    <//>
  <//>`;
}

/** The password, this once: afterwards it can only be replaced. */
function Password({ credential, onClose }: { credential: Secret; onClose: () => void }) {
  return html`<${Dialog} title="Write this down" onClose=${onClose}>
    <${Facts} pairs=${[
      ['User name', html`<code>${credential.username}</code>`],
      ['Password', html`<code>${credential.password}</code>`],
    ]} />
    <p class="muted">The password is shown this once. It goes into the home’s router.</p>
    <div class="form-foot">
      <${CopyButton} text=${credential.password} look="plain">Copy password<//>
      <${Button} look="primary" onClick=${onClose}>Done<//>
    </div>
  <//>`;
}
