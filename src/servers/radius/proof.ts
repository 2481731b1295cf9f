// Tells whether a request proves a password, by whichever method the NAS chose.
import { getOctets } from '../../protocols/radius/attributes.ts';
import { verifyMsChap } from '../../protocols/radius/mschap.ts';
import type { Attribute, Packet } from '../../protocols/radius/packet.ts';
import { checkPassword, passwordMethod } from '../../protocols/radius/passwords.ts';

/** `reply` is what an Accept must carry for this proof: MS-CHAPv2 clients hang up without MS-CHAP2-Success. */
export type Proof = { proved: true; reply: Attribute[] } | { proved: false };

const NOT_PROVED: Proof = { proved: false };

/** Tries each of the spellings a password may have; all methods but PAP hide which one was typed. */
export function provePassword(request: Packet, secret: Buffer, passwords: readonly string[]): Proof {
  const method = passwordMethod(request);
  if (method === 'mschap1' || method === 'mschap2') {
    const userName = getOctets(request, 'User-Name') ?? Buffer.alloc(0);
    for (const password of passwords) {
      const result = verifyMsChap(request, password, userName);
      if (result.ok) return { proved: true, reply: result.reply };
    }
    return NOT_PROVED;
  }
  return passwords.some((password) => checkPassword(request, secret, password))
    ? { proved: true, reply: [] }
    : NOT_PROVED;
}
