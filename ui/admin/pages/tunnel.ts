// The way in: how M-PESA's notices reach this box, how it is doing, and what has come through.
import { useEffect } from 'preact/hooks';
import { formatCount } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post, put } from '../api.ts';
import { useLoad } from '../load.ts';
import { Button, Card, Facts, Failure, Loading, State, Time } from '../parts/basics.ts';
import { CopyButton } from '../parts/copy.ts';
import { Field, type Form, FormBox, useForm, type Values } from '../parts/form.ts';
import { TestButton } from '../parts/test-steps.ts';
import { tell } from '../parts/toast.ts';
import type { TestAnswer, TunnelAnswer, TunnelMode } from '../types.ts';

/** How often the page looks again. */
const LOOK_MS = 5000;

/** Stage → the tone of its dot, its word. */
const STAGES: Record<TunnelAnswer['state']['stage'], [string, string]> = {
  off: ['neutral', 'closed'],
  unknown: ['pending', 'not tested'],
  starting: ['pending', 'starting'],
  up: ['online', 'open'],
  unreachable: ['offline', 'not reached'],
  waiting: ['offline', 'down'],
  stopped: ['offline', 'stopped'],
};

export function WayIn() {
  const { data, error, reload } = useLoad<TunnelAnswer>('/tunnel');
  useEffect(() => {
    const timer = window.setInterval(reload, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [reload]);
  if (!data) {
    return html`<div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  return html`<${Standing} tunnel=${data} onTested=${reload} />
    <${Way} settings=${data.settings} onSaved=${reload} />
    <${Door} door=${data.door} />
    <${Sources} sources=${data.sources} onSaved=${reload} />`;
}

function Standing({ tunnel, onTested }: { tunnel: TunnelAnswer; onTested: () => void }) {
  const { state } = tunnel;
  const [tone, word] = STAGES[state.stage];
  const test = () => post<TestAnswer>('/tunnel/test').finally(onTested);
  return html`<${Card} class="narrow" title="How M-PESA reaches this box"
    aside=${html`<${State} state=${tone} word=${word} />`}>
    ${
      state.mode === 'none' &&
      html`<p class="muted">Nothing comes in. Karibu asks M-PESA about each payment until it is decided: guests get
        online a few seconds later, and receipts come with the pull or the statement.</p>`
    }
    ${
      state.url &&
      html`<div class="public-url"><code>${state.url}</code><${CopyButton} text=${state.url} look="quiet" /></div>`
    }
    ${
      state.problem &&
      html`<div class="problem" role="alert"><p>${state.problem}${state.hint && html`<small>${state.hint}</small>`}</p></div>`
    }
    ${
      state.mode !== 'none' &&
      html`<${Facts} pairs=${[
        ['Reached from outside', html`<${Time} at=${state.reached_at} none="not yet" />`],
        ['Last looked', html`<${Time} at=${state.checked_at} none="not yet" />`],
        ['Started', state.started_at && html`<${Time} at=${state.started_at} />`],
        ['Starts', state.starts > 1 ? formatCount(state.starts) : undefined],
        ['Next start', state.next_start_at && html`<${Time} at=${state.next_start_at} />`],
        ['Waiting at the relay', state.waiting === null ? undefined : formatCount(state.waiting)],
        ['Handed over', state.taken === null ? undefined : formatCount(state.taken)],
      ]} />
      <${TestButton} label="Test from outside" run=${test} />`
    }
    ${
      state.lines.length > 0 &&
      html`<details class="program-lines"><summary>What the program said last</summary>
        <pre class="mono">${state.lines.slice(-15).join('\n')}</pre></details>`
    }
  <//>`;
}

const MODES: [TunnelMode, string][] = [
  ['none', 'None: Karibu asks M-PESA itself'],
  ['cloudflared', 'Cloudflare tunnel'],
  ['ssh', 'SSH to a server of yours'],
  ['hub', 'Relay: keeps notices while this box is off'],
  ['manual', 'An address of your own'],
];

const HINTS: Record<TunnelMode, string> = {
  none: 'Works behind any router. Nothing has to be opened.',
  cloudflared: 'Karibu runs cloudflared, opens the callback door alone, and starts it again when it fails.',
  ssh: 'Karibu runs ssh -R and starts it again when it fails. The server needs https in front of the port.',
  hub: 'Nothing is lost while this box has no power: the relay keeps every notice until it is here.',
  manual: 'A reverse proxy or a forwarded port that leads to the callback listener, and to nothing else.',
};

const TOKENS = ['cloudflared_token', 'hub_token'];

/** Empty tokens are left out: the stored ones stay. */
function filled(values: Values): Values {
  const trimmed = Object.entries(values).map(([name, value]) => [name, value.trim()] as const);
  return Object.fromEntries(trimmed.filter(([name, value]) => value !== '' || !TOKENS.includes(name)));
}

function Way({ settings, onSaved }: { settings: TunnelAnswer['settings']; onSaved: () => void }) {
  const form = useForm({
    mode: settings.mode,
    url: settings.url ?? '',
    cloudflared_token: '',
    ssh_host: settings.ssh_host ?? '',
    ssh_port: String(settings.ssh_port),
    ssh_user: settings.ssh_user ?? '',
    ssh_identity_file: settings.ssh_identity_file ?? '',
    ssh_remote_port: String(settings.ssh_remote_port),
    hub_url: settings.hub_url ?? '',
    hub_box: settings.hub_box ?? '',
    hub_token: '',
    proxies: settings.proxies.join('\n'),
    sender_header: settings.sender_header,
  });
  const mode = form.values.mode as TunnelMode;
  const save = async (values: Values) => {
    const { proxies = '', ...rest } = values;
    await put('/tunnel', { ...filled(rest), proxies: proxies.split(/[\s,]+/).filter(Boolean) });
    for (const name of TOKENS) form.set(name, '');
    tell('Saved.');
    onSaved();
  };
  return html`<${Card} class="narrow" title="The way in"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="mode" label="Kind" options=${MODES} hint=${HINTS[mode]} />
    ${mode === 'cloudflared' && html`<${CloudflareFields} form=${form} has=${settings.has_cloudflared_token} />`}
    ${mode === 'ssh' && html`<${SshFields} form=${form} />`}
    ${mode === 'hub' && html`<${HubFields} form=${form} has=${settings.has_hub_token} />`}
    ${
      mode === 'manual' &&
      html`<${Field} form=${form} name="url" label="Public address" mono placeholder="https://wifi.example.co.ke"
        hint="M-PESA wants https with a certificate that the world knows, on port 443." />`
    }
    ${(mode === 'manual' || mode === 'ssh') && html`<${ProxyFields} form=${form} />`}
    <div class="form-foot"><${Button} type="submit" look="primary" busy=${form.busy}>Save<//></div>
  <//><//>`;
}

/** Whose word about the sender counts: without it every notice is confirmed by a question first, which is safe. */
function ProxyFields({ form }: { form: Form }) {
  return html`<${Field} form=${form} name="proxies" label="Proxies that name the sender" rows=${2} mono required=${false}
      hint="Addresses of your own proxies, one a line; 127.0.0.1 for one on this box or at the end of the SSH tunnel. List them only if they write the header themselves. Empty: M-PESA is asked about every notice before it counts." />
    ${
      form.values.proxies?.trim() &&
      html`<${Field} form=${form} name="sender_header" label="They write the sender into" options=${[
        ['x-forwarded-for', 'X-Forwarded-For: the last hop that is no proxy'],
        ['cf-connecting-ip', 'CF-Connecting-IP, of Cloudflare'],
      ]} />`
    }`;
}

const kept = (has: boolean) => (has ? 'stored, leave empty to keep' : '');

function CloudflareFields({ form, has }: { form: Form; has: boolean }) {
  return html`<${Field} form=${form} name="cloudflared_token" label="Tunnel token" type="password" required=${false}
      autocomplete="new-password" placeholder=${kept(has)}
      hint="Of a named tunnel whose service is http://127.0.0.1:8082, this box’s callback listener. Without one, Cloudflare gives an address for as long as the program runs." />
    <${Field} form=${form} name="url" label="Its public address" mono required=${false}
      placeholder="https://wifi.example.co.ke" />`;
}

function SshFields({ form }: { form: Form }) {
  return html`<div class="field-row">
      <${Field} form=${form} name="ssh_host" label="Server" mono placeholder="server.example.co.ke" />
      <${Field} form=${form} name="ssh_port" label="SSH port" inputmode="numeric" mono />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="ssh_user" label="User" mono required=${false} />
      <${Field} form=${form} name="ssh_identity_file" label="Key file on this box" mono required=${false}
        placeholder="/var/lib/karibu/tunnel/key" />
    </div>
    <div class="field-row">
      <${Field} form=${form} name="ssh_remote_port" label="Port at the server" inputmode="numeric" mono
        hint="0 lets the server choose" />
      <${Field} form=${form} name="url" label="Public address" mono required=${false}
        placeholder="https://wifi.example.co.ke" hint="Unless the server prints it" />
    </div>`;
}

function HubFields({ form, has }: { form: Form; has: boolean }) {
  return html`<${Field} form=${form} name="hub_url" label="Address of the relay" mono placeholder="https://…" />
    <div class="field-row">
      <${Field} form=${form} name="hub_box" label="Name of this box" mono placeholder="kiosk" />
      <${Field} form=${form} name="hub_token" label="Token" type="password" autocomplete="new-password"
        required=${!has} placeholder=${kept(has)} />
    </div>`;
}

function Door({ door }: { door: TunnelAnswer['door'] }) {
  const { counts } = door;
  return html`<${Card} class="narrow" title="The callback door"
    aside=${html`<span class="muted">since Karibu started, <${Time} at=${door.since_at} /></span>`}>
    <${Facts} pairs=${[
      ['Last notice', html`<${Time} at=${door.last_taken_at} none="none yet" />`],
      ['Notices taken', formatCount(counts.taken)],
      ['Confirmed first', formatCount(counts.doubted)],
      ['Kept aside', formatCount(counts.quarantined)],
      ['Too large', counts.too_large ? formatCount(counts.too_large) : undefined],
      ['Cut off, too slow', counts.slow ? formatCount(counts.slow) : undefined],
    ]} />
    ${
      door.strangers.length > 0 &&
      html`<h3 class="strangers-title">Strangers</h3><ul class="strangers">
        ${door.strangers.map(
          (one, at) => html`<li key=${at}><code>${one.address ?? 'unknown'}</code><${Time} at=${one.at} />
            <p class="muted">${one.why}</p></li>`,
        )}</ul>`
    }
    <p class="hint">Through this door nobody sees the admin or the portal. Whoever knocks gets the same answer,
      whether their notice is believed or not.</p>
  <//>`;
}

function Sources({ sources, onSaved }: { sources: TunnelAnswer['sources']; onSaved: () => void }) {
  const form = useForm({ trusted: sources.trusted.join('\n') });
  const save = async (values: Values) => {
    await put('/tunnel/sources', { trusted: (values.trusted ?? '').split(/[\s,]+/).filter(Boolean) });
    tell('Saved.');
    onSaved();
  };
  return html`<${Card} class="narrow" title="Trusted senders"><${FormBox} form=${form} act=${save}>
    <${Field} form=${form} name="trusted" label="Beside M-PESA’s own addresses" rows=${3} mono required=${false}
      hint=${`One a line. M-PESA is known to send from ${sources.known.length} addresses; a notice from any other is confirmed by asking M-PESA before it counts.`} />
    <div class="form-foot"><${Button} type="submit" busy=${form.busy}>Save<//></div>
  <//><//>`;
}
