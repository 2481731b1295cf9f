// Writes MikroTik's limits of octets.
import { attribute, gigawords } from './attributes.ts';
import type { Attribute } from './packet.ts';

export type OctetLimit = 'Mikrotik-Total-Limit' | 'Mikrotik-Recv-Limit' | 'Mikrotik-Xmit-Limit';

/**
 * A limit and its Gigawords; 0 takes back the one before (routeros.md §1.4). What RouterOS makes of a low word of 0 beside
 * gigawords is written nowhere: a whole number of 2^32 octets is sent as one octet less.
 */
export function octetLimit(name: OctetLimit, octets: number): Attribute[] {
  const { low, high } = gigawords(octets > 0 && octets % 2 ** 32 === 0 ? octets - 1 : octets);
  return [attribute(name, low), attribute(`${name}-Gigawords`, high)];
}
