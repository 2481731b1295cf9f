// Addresses and prefixes that routers send from.
import { isIPv4, isIPv6 } from 'node:net';

interface Prefix {
  family: 4 | 6;
  bits: bigint;
  length: number;
}

const WIDTH = { 4: 32, 6: 128 } as const;

/** Whether a router's address stands for many: `10.77.0.0/24`. */
export function isPrefix(address: string): boolean {
  return address.includes('/');
}

function bitsOf(address: string): { family: 4 | 6; bits: bigint } | undefined {
  if (isIPv4(address)) {
    return { family: 4, bits: address.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
  }
  // A link-local source carries its interface: `fe80::1%eth0`.
  const bare = address.replace(/%.*$/, '');
  if (!isIPv6(bare)) return undefined;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare);
  const hex = (high: string, low: string) => ((Number(high) << 8) | Number(low)).toString(16);
  const plain = dotted
    ? `${dotted[1]}${hex(dotted[2] as string, dotted[3] as string)}:${hex(dotted[4] as string, dotted[5] as string)}`
    : bare;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail ? tail.split(':') : [];
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  const groups = tail === undefined ? left : [...left, ...zeros, ...right];
  return { family: 6, bits: groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n) };
}

function networkBits(bits: bigint, width: number, length: number): bigint {
  const rest = BigInt(width - length);
  return (bits >> rest) << rest;
}

function parsePrefix(text: string): Prefix | undefined {
  const [address = '', written, ...more] = text.trim().split('/');
  if (address.includes('%') || more.length > 0) return undefined;
  const found = bitsOf(address);
  if (!found || (written !== undefined && !/^\d{1,3}$/.test(written))) return undefined;
  const width = WIDTH[found.family];
  const length = written === undefined ? width : Number(written);
  if (length > width) return undefined;
  return { family: found.family, bits: networkBits(found.bits, width, length), length };
}

function writeAddress({ family, bits }: Prefix): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, n) => ((bits >> BigInt(112 - 16 * n)) & 0xffffn).toString(16));
  const text = groups.join(':');
  // RFC 5952 §4.2: the longest run of zeros, the first of equals, becomes `::`.
  const longest = [...text.matchAll(/(?<![0-9a-f])0(:0)+(?![0-9a-f])/g)].reduce(
    (best, run) => (run[0].length > best.length ? { at: run.index, length: run[0].length } : best),
    { at: 0, length: 0 },
  );
  if (longest.length === 0) return text;
  const head = text.slice(0, longest.at).replace(/:$/, '');
  const tail = text.slice(longest.at + longest.length).replace(/^:/, '');
  return `${head}::${tail}`;
}

/**
 * The one spelling of an address or prefix that a router may have: `10.77.0.9/24` is `10.77.0.0/24`, a prefix of full
 * length is its address. Undefined for anything else.
 */
export function canonicalAddress(text: string): string | undefined {
  const prefix = parsePrefix(text);
  if (!prefix) return undefined;
  const address = writeAddress(prefix);
  return prefix.length === WIDTH[prefix.family] ? address : `${address}/${prefix.length}`;
}

export interface AddressTable<T> {
  /** What stands for an address: its own entry, else that of the longest prefix around it. */
  find(address: string): T | undefined;
}

/**
 * Look-up for every packet: of a source that was asked for before it makes nothing new. What prefixes gave is kept for
 * `mostCached` sources, which forged ones can only make forget.
 */
export function createAddressTable<T extends object>(
  entries: Iterable<readonly [string, T]>,
  mostCached = 4096,
): AddressTable<T> {
  const exact = new Map<string, T>();
  const prefixes: { prefix: Prefix; entry: T }[] = [];
  for (const [address, entry] of entries) {
    const prefix = isPrefix(address) ? parsePrefix(address) : undefined;
    if (prefix) prefixes.push({ prefix, entry });
    else exact.set(address, entry);
  }
  prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
  const cached = new Map<string, T | null>();

  function search(address: string): T | undefined {
    const asked = bitsOf(address);
    if (!asked) return undefined;
    const width = WIDTH[asked.family];
    return prefixes.find(
      ({ prefix }) =>
        prefix.family === asked.family && networkBits(asked.bits, width, prefix.length) === prefix.bits,
    )?.entry;
  }

  return {
    find(address) {
      const own = exact.get(address);
      if (own !== undefined || prefixes.length === 0) return own;
      const known = cached.get(address);
      if (known !== undefined) return known ?? undefined;
      const found = search(address);
      if (cached.size >= mostCached) cached.clear();
      cached.set(address, found ?? null);
      return found;
    },
  };
}
