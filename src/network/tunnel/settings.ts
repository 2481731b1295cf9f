// How the world reaches the callback door, as the operator set it; tokens are sealed.

import type { Db } from '../../db/schema.ts';
import { readSetting, writeSetting } from '../../db/settings.ts';
import { AppError } from '../../errors.ts';
import type { Vault } from '../../lib/secrets.ts';

const KEY = 'tunnel';

export const TUNNEL_MODES = ['none', 'manual', 'cloudflared', 'ssh', 'hub'] as const;
export type TunnelMode = (typeof TUNNEL_MODES)[number];

export const SENDER_HEADERS = ['x-forwarded-for', 'cf-connecting-ip'] as const;

/** Which hops are believed about who sent a notice. */
export interface SenderRule {
  mode: TunnelMode;
  /** Of the operator's own proxies, with `manual` and `ssh`: nobody is believed unless listed. */
  proxies: string[];
  /** Where they write the sender; the last hop that is no proxy counts. */
  sender_header: (typeof SENDER_HEADERS)[number];
}

/** What may be shown. */
interface Plain extends SenderRule {
  /** The public address: given with `manual`, with a named Cloudflare tunnel, and with ssh unless the server prints it. */
  url: string | null;
  ssh_host: string | null;
  ssh_port: number;
  ssh_user: string | null;
  /** Path of the private key on this box; null is ssh's own choice. */
  ssh_identity_file: string | null;
  /** The port that the server listens on for us; 0 lets it choose. */
  ssh_remote_port: number;
  hub_url: string | null;
  hub_box: string | null;
}

interface Stored extends Plain {
  cloudflared_token_sealed: string | null;
  hub_token_sealed: string | null;
}

export interface TunnelSettings extends Plain {
  cloudflared_token: string | null;
  hub_token: string | null;
}

export interface TunnelSettingsView extends Plain {
  has_cloudflared_token: boolean;
  has_hub_token: boolean;
}

/** A form: what is left out stays; an empty token is taken away. */
export type TunnelSettingsInput = { [K in keyof TunnelSettings]?: TunnelSettings[K] | undefined };

const DEFAULTS: Stored = {
  mode: 'none',
  proxies: [],
  sender_header: 'x-forwarded-for',
  url: null,
  ssh_host: null,
  ssh_port: 22,
  ssh_user: null,
  ssh_identity_file: null,
  ssh_remote_port: 0,
  hub_url: null,
  hub_box: null,
  cloudflared_token_sealed: null,
  hub_token_sealed: null,
};

async function readStored(db: Db): Promise<Stored> {
  return { ...DEFAULTS, ...(await readSetting<Partial<Stored>>(db, KEY)) };
}

export async function readTunnelSettings(db: Db, vault: Vault): Promise<TunnelSettings> {
  const { cloudflared_token_sealed, hub_token_sealed, ...plain } = await readStored(db);
  return {
    ...plain,
    cloudflared_token: cloudflared_token_sealed && vault.open(cloudflared_token_sealed),
    hub_token: hub_token_sealed && vault.open(hub_token_sealed),
  };
}

export async function viewTunnelSettings(db: Db): Promise<TunnelSettingsView> {
  const { cloudflared_token_sealed, hub_token_sealed, ...plain } = await readStored(db);
  return {
    ...plain,
    has_cloudflared_token: cloudflared_token_sealed !== null,
    has_hub_token: hub_token_sealed !== null,
  };
}

function findMissing(settings: TunnelSettings): Record<string, string> {
  const fields: Record<string, string> = {};
  const { mode } = settings;
  if (mode === 'manual' && !settings.url) fields.url = 'Give the public address of this box.';
  if (mode === 'cloudflared' && settings.cloudflared_token && !settings.url) {
    fields.url = 'A named tunnel has an address of its own: give it.';
  }
  if (mode === 'ssh' && !settings.ssh_host) fields.ssh_host = 'Give the server to connect to.';
  if (mode === 'hub' && !settings.hub_url) fields.hub_url = 'Give the address of the relay.';
  if (mode === 'hub' && !settings.hub_box) fields.hub_box = 'Give the name that the relay knows this box by.';
  if (mode === 'hub' && !settings.hub_token) fields.hub_token = 'Give the token that the relay gave you.';
  return fields;
}

/** Changes what the form holds. @throws `invalid` naming what its mode lacks; nothing is written then. */
export async function updateTunnelSettings(
  db: Db,
  vault: Vault,
  input: TunnelSettingsInput,
  now: number,
): Promise<void> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const settings: TunnelSettings = { ...(await readTunnelSettings(db, vault)), ...given };
  const fields = findMissing(settings);
  if (Object.keys(fields).length > 0) {
    throw new AppError('invalid', 'The way in is not complete.', { fields });
  }
  const { cloudflared_token, hub_token, ...plain } = settings;
  const stored: Stored = {
    ...plain,
    cloudflared_token_sealed: cloudflared_token ? vault.seal(cloudflared_token) : null,
    hub_token_sealed: hub_token ? vault.seal(hub_token) : null,
  };
  await writeSetting(db, KEY, stored, now);
}
