// One router: how we reach it, whether it works, the lines to paste into it.
import { useState } from 'preact/hooks';
import { formatCount } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { parseNumber } from '../../shared/units.ts';
import { del, patch, post } from '../api.ts';
import { useLoad } from '../load.ts';
import { go, readPlace } from '../navigation.ts';
import { Button, Card, Facts, Failure, LinkButton, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { ask } from '../parts/dialog.ts';
import { Field, type Form, FormBox, invalid, useForm, type Values } from '../parts/form.ts';
import { TestButton } from '../parts/test-steps.ts';
import { tell, tellFailure } from '../parts/toast.ts';
import type { Router, RouterScript, TestAnswer } from '../types.ts';

function typedRouter(router: Router | undefined): Values {
  return {
    name: router?.name ?? '',
    address: router?.address ?? readPlace().query.get('address') ?? '',
    radius_secret: '',
    message_authenticator: router?.message_authenticator ?? 'auto',
    mac_login: router?.mac_login ?? 'no',
    coa_port: String(router?.coa_port ?? 3799),
    api_port: String(router?.api_port ?? 8728),
    api_tls: String(router?.api_tls ?? 0),
    api_username: router?.api_username ?? '',
    api_password: '',
    hotspot_host: router?.hotspot_host ?? '',
    hotspot_interface: router?.hotspot_interface ?? '',
    hotspot_network: router?.hotspot_network ?? '',
  };
}

/** The API without and with TLS (RouterOS defaults). */
const PORTS = ['8728', '8729'];
const NUMBERS = ['coa_port', 'api_port', 'api_tls'];
/** Left empty, these keep what is stored (or, for a new router, are made or left out by the server). */
const SECRETS = ['radius_secret', 'api_password'];

/** Left empty, these are taken away; any other empty field keeps its stored or default value. */
const CLEARABLE = ['api_username', 'hotspot_host'];

/** The form as the API takes it. */
function readRouter(values: Values): Record<string, string | number | null> {
  const read: Record<string, string | number | null> = {};
  for (const [name, typed] of Object.entries(values)) {
    const text = SECRETS.includes(name) ? typed : typed.trim();
    if (NUMBERS.includes(name)) {
      const number = parseNumber(text);
      if (number === undefined || number === null) throw invalid({ [name]: 'Write a number.' });
      read[name] = number;
    } else if (text !== '') read[name] = text;
    else if (CLEARABLE.includes(name)) read[name] = null;
  }
  return read;
}

export function RouterPage({ id }: { id: string }) {
  const isNew = id === 'new';
  const { data, error, reload, setData } = useLoad<Router>(isNew ? undefined : `/routers/${id}`);
  if (isNew) return html`<${PageHead} title="Add a router" back="/routers" /><${Card}><${RouterForm} /><//>`;
  if (!data) {
    return html`<${PageHead} title="Router" back="/routers" /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const remove = async () => {
    const sure = await ask({
      title: `Remove ${data.name}?`,
      body: html`<p>Its packets get silence from then on: nobody signs in through <b>${data.name}
        </b> any more. ${formatCount(data.online_sessions)} sessions are open on it now.</p>`,
      confirm: 'Remove the router',
      name: data.name,
    });
    if (!sure) return;
    try {
      await del(`/routers/${id}`);
      tell(`Router ${data.name} removed.`);
      go('/routers');
    } catch (failure) {
      tellFailure(failure);
    }
  };
  const facts = [data.board, data.version && `RouterOS ${data.version}`, data.identity]
    .filter(Boolean)
    .join(' · ');
  return html`<${PageHead} title=${data.name} back="/routers"
    sub=${html`<${State} state=${data.state} /> ${facts || data.address}`}>
      <${LinkButton} href=${`/sessions?router_id=${id}`} icon="sessions">
      ${formatCount(data.online_sessions)} online<//><${Button} look="careful" onClick=${remove}>Remove…<//>
    <//>
    ${
      data.last_error &&
      data.state !== 'online' &&
      html`<div class="banner bad" role="status"><p>
    ${data.last_error}</p></div>`
    }
    <div class="columns even">
      <${Card} title="Connection">
      <${RouterForm} router=${data} onSaved=${(after: Router) => setData(() => after)} /><//>
      <div class="stack"><${Card} title="Seen"><${Facts} pairs=${[
        ['Last seen', html`<${Time} at=${data.last_seen_at} none="never" />`],
        ['Identity', data.identity],
        ['Board', data.board],
        ['RouterOS', data.version],
      ]} /><//><${Scripts} id=${id} /></div>
    </div>`;
}

function RouterForm({ router, onSaved }: { router?: Router; onSaved?: (after: Router) => void }) {
  const form = useForm(typedRouter(router));
  const save = async (values: Values) => {
    const wanted = readRouter(values);
    const missing: Record<string, string> = {};
    if (!wanted.name) missing.name = 'Give the router a name.';
    if (!wanted.address) missing.address = 'The address its packets come from.';
    if (Object.keys(missing).length > 0) throw invalid(missing);
    if (router) {
      onSaved?.(await patch<Router>(`/routers/${router.id}`, wanted));
      form.set('radius_secret', '');
      form.set('api_password', '');
      tell(`${wanted.name} saved.`);
    } else {
      const made = await post<Router>('/routers', wanted);
      tell(`${made.name} added. Now paste the lines into it.`);
      go(`/routers/${made.id}`);
    }
  };
  const test = () =>
    post<TestAnswer>(router ? `/routers/${router.id}/test` : '/routers/test', readRouter(form.values));
  return html`<${FormBox} form=${form} act=${save}>
    <${RouterFields} form=${form} router=${router} />
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>
    ${router ? 'Save' : 'Add the router'}<//></div>
    <${TestButton} run=${test} label="Test the connection" />
  <//>`;
}

/** Choosing TLS moves the port along, unless it was changed by hand. */
function withMatchingPort(form: Form): Form {
  const set = (name: string, value: string) => {
    form.set(name, value);
    if (name === 'api_tls' && PORTS.includes(form.values.api_port ?? ''))
      form.set('api_port', PORTS[Number(value)]!);
  };
  return { ...form, set };
}

function RouterFields({ form: plain, router }: { form: Form; router?: Router }) {
  const form = withMatchingPort(plain);
  const stored = 'stored, leave empty to keep';
  return html`<div class="field-row">
    <${Field} form=${form} name="name" label="Name" placeholder="Kiosk" autofocus=${!router}
      maxlength=${60} />
        <${Field} form=${form} name="address" label="Address" mono placeholder="192.168.88.1"
          hint="Where its RADIUS packets come from: one address, or a range such as 10.77.0.0/24" /></div>
    <${Field} form=${form} name="radius_secret" label="RADIUS secret" mono required=${false}
      placeholder=${router?.has_radius_secret ? stored : 'made for you when empty'} />
    <fieldset><legend class="label">RouterOS API <span class="muted">to disconnect, and for the Test</span>
    </legend>
      <div class="field-row">
      <${Field} form=${form} name="api_username" label="User name" mono required=${false}
        placeholder="karibu" />
          <${Field} form=${form} name="api_password" label="Password" type="password"
            autocomplete="new-password" required=${false}
              placeholder=${router?.has_api_password ? stored : ''} /></div>
      <div class="field-row"><${Field} form=${form} name="api_tls" label="Encryption" options=${[
        ['0', 'None (port 8728)'],
        ['1', 'TLS (port 8729)'],
      ]} /><${Field} form=${form} name="api_port" label="Port" inputmode="numeric" /></div>
    </fieldset>
    <details class="advanced"><summary>Hotspot and RADIUS details</summary>
      <div class="field-row">
      <${Field} form=${form} name="hotspot_host" label="Hotspot host name" mono required=${false}
        placeholder="login.wifi" />
          <${Field} form=${form} name="hotspot_interface" label="Hotspot interface" mono required=${false}
            placeholder="bridge" /></div>
      <div class="field-row">
      <${Field} form=${form} name="hotspot_network" label="Hotspot network" mono required=${false}
        placeholder="10.5.48.0/22" />
          <${Field} form=${form} name="coa_port" label="Disconnect port" inputmode="numeric" /></div>
      <${Field} form=${form} name="message_authenticator" label="Message-Authenticator"
        hint="Auto asks for it once the router has sent one" options=${[
          ['auto', 'Auto'],
          ['yes', 'Always needed'],
          ['no', 'Not needed'],
        ]} />
      <label class="tick">
      <input type="checkbox" aria-describedby="mac-login-hint" checked=${form.values.mac_login === 'yes'}
        onChange=${(event: Event) =>
          form.set('mac_login', (event.target as HTMLInputElement).checked ? 'yes' : 'no')} />
          Let a device with a plan in by its MAC address</label>
      <p class="hint" id="mac-login-hint">For TVs and consoles that cannot open the login page, and for a plan’s other
        devices once they have signed in, while it has room. A MAC address is no secret: whoever copies it uses that
        device’s plan. The router needs login-by=mac in its hotspot profile.</p>
    </details>`;
}

/** The exact RouterOS lines, each block with a copy button. They hold the RADIUS secret, so they are read on demand. */
function Scripts({ id }: { id: string }) {
  const [shown, setShown] = useState(false);
  const { data, error, reload } = useLoad<RouterScript>(shown ? `/routers/${id}/script` : undefined);
  return html`<${Card} title="Lines for the router"
    aside=${
      shown &&
      data &&
      html`<${CopyButton}
      text=${data.scripts.map((script) => script.text).join('\n')}>Copy all<//>`
    }>
    <p class="muted">Paste them into a RouterOS terminal (WinBox → New Terminal). They carry the RADIUS secret.</p>
    ${!shown && html`<${Button} onClick=${() => setShown(true)}>Show the lines<//>`}
    ${shown && error && html`<${Failure} error=${error} onRetry=${reload} />`}
    ${shown && !data && !error && html`<${Loading} rows=${3} />`}
    ${data?.scripts.map(
      (script) =>
        html`<section class="script" key=${script.name}><header><h3>${script.title}</h3>
          <${CopyButton} text=${script.text} look="quiet" /></header><pre tabindex="0">${script.text}</pre>
          </section>`,
    )}
  <//>`;
}
