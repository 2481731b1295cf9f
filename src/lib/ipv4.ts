// IPv4 addresses that one host can have.

const PART = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ADDRESS = new RegExp(`^${PART}(\\.${PART}){3}$`);

/**
 * The address as it is stored, or undefined when it is none that a subscriber can be given: RouterOS takes 127.0.0.0/8
 * and 224.0.0.0/3 as "choose one from the pool" (routeros.md §1.4), and 0.0.0.0/8 is nobody's (RFC 1122 §3.2.1.3).
 */
export function normalizeHostAddress(typed: string): string | undefined {
  const address = typed.trim();
  if (!ADDRESS.test(address)) return undefined;
  const first = Number(address.split('.')[0]);
  return first === 0 || first === 127 || first >= 224 ? undefined : address;
}
