// Says by itself which request deserves an answer, without a line of the server's own code.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { md5, split } from './radius-mutations.ts';

export interface Right {
  passwords: string[];
  /** A voucher's code is secret enough: without a password attribute it gets in. */
  bare: boolean;
  /** Challenge, peer challenge and NT-Response of MS-CHAPv2 that are known to be right, in hex. */
  mschap2: Set<string>;
}

/** What a router's setting for Message-Authenticator lets through unsigned, given what its source did before. */
export function passesUnsigned(
  datagram: Buffer,
  setting: 'auto' | 'yes' | 'no',
  sourceSigned: boolean,
): boolean {
  const types = (split(datagram.subarray(20, datagram.readUInt16BE(2))) ?? []).map(({ type }) => type);
  // EAP-Message (RFC 3579 §3.2), and Proxy-State, which the attack of CVE-2024-3596 needs.
  if (setting === 'yes' || types.includes(79)) return false;
  return setting === 'no' || (!sourceSigned && !types.includes(33));
}

/**
 * True when a request was signed with the secret as its code demands, Message-Authenticator included. `unsigned` says
 * that an Access-Request may do without it.
 */
export function isAuthentic(datagram: Buffer, secret: Buffer, unsigned = false): boolean {
  const length = datagram.length >= 20 ? datagram.readUInt16BE(2) : 0;
  if (length < 20 || length > 4096 || length > datagram.length) return false;
  const bytes = Buffer.from(datagram.subarray(0, length));
  const list = split(bytes.subarray(20));
  if (!list) return false;
  const accounting = bytes[0] === 4;
  if (!accounting && bytes[0] !== 1 && bytes[0] !== 12) return false;
  const sent = Buffer.from(bytes.subarray(4, 20));
  if (accounting && !md5(bytes.fill(0, 4, 20), secret).equals(sent)) return false;
  const places = list.filter(({ type }) => type === 80);
  const [place] = places;
  if (!place) return accounting || (unsigned && bytes[0] === 1);
  if (places.length > 1 || place.value.length !== 16) return false;
  const signature = Buffer.from(place.value);
  bytes.fill(0, place.at + 22, place.at + 38);
  return timingSafeEqual(createHmac('md5', secret).update(bytes).digest(), signature);
}

/** What User-Password hides (RFC 2865 §5.2), without the zeros behind it. */
function reveal(value: Buffer, authenticator: Buffer, secret: Buffer): string {
  const blocks: Buffer[] = [];
  let before = authenticator;
  for (let at = 0; at + 16 <= value.length; at += 16) {
    const block = value.subarray(at, at + 16);
    const pad = md5(secret, before);
    blocks.push(Buffer.from(block.map((octet, index) => octet ^ pad[index]!)));
    before = block;
  }
  return Buffer.concat(blocks).toString('latin1').replace(/\0+$/, '');
}

const MICROSOFT = Buffer.from([0, 0, 1, 55]);

function microsoft(list: { type: number; value: Buffer }[], type: number): Buffer[] {
  return list
    .filter((one) => one.type === 26 && one.value.subarray(0, 4).equals(MICROSOFT))
    .flatMap((one) => split(one.value.subarray(4)) ?? [])
    .filter((one) => one.type === type)
    .map((one) => one.value);
}

/** True when an authentic Access-Request names someone with access in force, and proves the password. */
export function hasRight(
  datagram: Buffer,
  secret: Buffer,
  rights: ReadonlyMap<string, Right>,
  unsigned = false,
): boolean {
  if (!isAuthentic(datagram, secret, unsigned) || datagram[0] !== 1) return false;
  const list = split(datagram.subarray(20, datagram.readUInt16BE(2))) ?? [];
  const authenticator = datagram.subarray(4, 20);
  const values = (type: number) => list.filter((one) => one.type === type).map((one) => one.value);
  const name = values(1)[0]?.toString() ?? '';
  const right = rights.get(name) ?? rights.get(name.toUpperCase().replace(/[\s.\-_–—]/g, ''));
  if (!right) return false;
  const challenges = [...values(60), authenticator];
  const [microsoftChallenges, responses] = [microsoft(list, 11), microsoft(list, 25)];
  const proofs = values(2).length + values(3).length + microsoft(list, 1).length + responses.length;
  const passwords = right.bare ? [...right.passwords, '', name] : right.passwords;
  return (
    (right.bare && proofs === 0) ||
    values(2).some((value) => passwords.includes(reveal(value, authenticator, secret))) ||
    values(3).some((value) =>
      passwords.some((password) =>
        challenges.some((challenge) =>
          md5(value.subarray(0, 1), Buffer.from(password), challenge).equals(value.subarray(1)),
        ),
      ),
    ) ||
    microsoftChallenges.some((challenge) =>
      responses.some((value) =>
        right.mschap2.has(
          Buffer.concat([challenge, value.subarray(2, 18), value.subarray(26)]).toString('hex'),
        ),
      ),
    )
  );
}
