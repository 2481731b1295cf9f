// What a router's login page told us about a phone, carried from page to page as one signed value.
import { createHash } from 'node:crypto';
import { normalizeMac } from '../../../lib/mac.ts';
import { sameText, type Vault } from '../../../lib/secrets.ts';
import type { Router } from '../../../network/routers.ts';
import { hotspotNetwork } from '../../../protocols/routeros/script.ts';

export interface HotspotContext {
  mac: string | null;
  ip: string | null;
  router_id: string | null;
  /** Where the phone logs in; only ever one of the router's own hosts. */
  link_login_only: string | null;
  link_logout: string | null;
  link_orig: string | null;
  /** As RouterOS prints them: octal escapes. */
  chap_id: string | null;
  chap_challenge: string | null;
  /** The router's last refusal, in its words. */
  error: string | null;
  /** Whether the router said that the phone is logged in; null when it said nothing. */
  logged_in: boolean | null;
  /** When the router said so, epoch ms by our clock. */
  seen_at: number;
}

const LOGGED_IN: Record<string, boolean> = { yes: true, no: false };

export type Parameters = Record<string, string | undefined>;

const LONGEST = 1000;

function text(value: string | undefined, longest = LONGEST): string | null {
  const trimmed = value?.trim();
  return trimmed ? trimmed.slice(0, longest) : null;
}

function httpUrl(value: string | undefined): URL | undefined {
  const trimmed = text(value);
  if (!trimmed || !URL.canParse(trimmed)) return undefined;
  const url = new URL(trimmed);
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
}

/** The hosts a router's login page may have: what the operator wrote, the router's address, its hotspot address. */
function loginHosts(router: Router): string[] {
  const hosts = [router.address, hotspotNetwork(router.hotspot_network)?.address];
  if (router.hotspot_host) hosts.push(router.hotspot_host.replace(/:\d+$/, ''));
  return hosts.filter((host) => host !== undefined).map((host) => host.toLowerCase());
}

/**
 * The router a phone stands behind. Our own login page names it by id; otherwise the login link's host tells.
 * A link to any other host is not used: whoever made it would be handed the guest's password (routeros.md §2.5).
 */
function findRouter(routers: Router[], named: string | null, login: URL | undefined): Router | undefined {
  const host = login?.hostname.toLowerCase();
  const fitting = routers.filter((router) => host && loginHosts(router).includes(host));
  return fitting.find((router) => router.id === named || router.identity === named) ?? fitting[0];
}

/** Reads what a login page sent, in RouterOS's names. Undefined when it says nothing about a phone. */
export function readHotspot(
  parameters: Parameters,
  routers: Router[],
  now: number,
): HotspotContext | undefined {
  const mac = normalizeMac(parameters.mac ?? '') ?? null;
  const login = httpUrl(parameters['link-login-only'] ?? parameters['link-login']);
  if (!mac && !login) return undefined;
  const named = text(parameters.router ?? parameters.identity);
  const router = findRouter(routers, named, login) ?? routers.find((one) => one.id === named);
  const trusted = router && login && loginHosts(router).includes(login.hostname.toLowerCase());
  const logout = httpUrl(parameters['link-logout']);
  return {
    mac,
    ip: text(parameters.ip, 45),
    router_id: router?.id ?? null,
    link_login_only: trusted ? login.href : null,
    link_logout: trusted && logout?.host === login.host ? logout.href : null,
    link_orig: httpUrl(parameters['link-orig'] ?? parameters.dst)?.href ?? null,
    chap_id: text(parameters['chap-id'], 20),
    chap_challenge: text(parameters['chap-challenge'], 200),
    error: text(parameters.error ?? parameters['error-orig'], 200),
    logged_in: LOGGED_IN[parameters['logged-in'] ?? ''] ?? null,
    seen_at: now,
  };
}

/** The context as one opaque value for links and forms. */
export function sealContext(vault: Vault, context: HotspotContext): string {
  const body = Buffer.from(JSON.stringify(context)).toString('base64url');
  return `${body}.${vault.sign(`ctx ${body}`)}`;
}

/** The context again; undefined when the value is not ours. */
export function openContext(vault: Vault, value: string | undefined): HotspotContext | undefined {
  const [body, signature, ...rest] = value?.split('.') ?? [];
  if (!body || !signature || rest.length > 0) return undefined;
  if (!sameText(signature, vault.sign(`ctx ${body}`))) return undefined;
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as HotspotContext;
}

/** `\371` and `\015` as the octets they stand for; other characters as themselves (routeros.md §2.4). */
export function octalOctets(escaped: string): Buffer {
  const plain = escaped.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8) & 255),
  );
  return Buffer.from(plain, 'latin1');
}

/** What the phone posts as password: the CHAP answer in hex where the router gave a challenge, else the password. */
export function loginPassword(context: HotspotContext, password: string): string {
  if (!context.chap_id || !context.chap_challenge) return password;
  return createHash('md5')
    .update(octalOctets(context.chap_id))
    .update(password)
    .update(octalOctets(context.chap_challenge))
    .digest('hex');
}
