// Who sent a request to the callback door, as far as it can be believed.
import { isIP } from 'node:net';
import type { SenderRule } from '../../network/tunnel/settings.ts';

const isLoopback = (address: string) => address === '::1' || address.startsWith('127.');

/** One form for one address: without the IPv4-in-IPv6 prefix, in small letters. */
const plain = (address: string) =>
  address
    .trim()
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, '');

/** An address that a header names; null for anything else, and for this machine, which no sender is. */
function named(text: string): string | null {
  const address = plain(text);
  return isIP(address) && !isLoopback(address) ? address : null;
}

/**
 * The peer, unless it is a hop that the operator's tunnel or proxies are known to be: of our own cloudflared the one whom
 * Cloudflare names; of the operator's listed proxies the last hop that is none of them, since everything left of it
 * was written by the sender (payments.md §1.9). Null behind any other tunnel on this machine: nobody can say. What a
 * stranger writes into a header is never read.
 */
export function senderOf(
  peer: string | null,
  rule: SenderRule,
  header: (name: string) => string | undefined,
): string | null {
  if (peer === null) return null;
  const from = plain(peer);
  if (rule.mode === 'cloudflared') return isLoopback(from) ? named(header('cf-connecting-ip') ?? '') : peer;
  if (rule.mode !== 'manual' && rule.mode !== 'ssh') return peer;
  const proxies = rule.proxies.map(plain);
  if (!proxies.includes(from)) return isLoopback(from) ? null : peer;
  const text = header(rule.sender_header) ?? '';
  if (rule.sender_header === 'cf-connecting-ip') return named(text);
  const last = text
    .split(',')
    .map(plain)
    .findLast((hop) => !proxies.includes(hop));
  return last === undefined ? null : named(last);
}
