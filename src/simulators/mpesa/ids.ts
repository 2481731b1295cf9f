// Makes identifiers in the forms that Daraja uses.
import { eatFields } from '../../protocols/mpesa/eat-time.ts';

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

/**
 * `ws_CO_` + DDMMYYYYHHmmss in EAT + 1–3 digits of milliseconds + the phone's last nine digits. `isTaken` says
 * whether an id is in use: two pushes to one phone may fall in one millisecond.
 */
export function checkoutRequestId(at: number, msisdn: string, isTaken: (id: string) => boolean): string {
  for (let instant = at; ; instant += 1) {
    const f = eatFields(instant);
    const clock = `${pad(f.day)}${pad(f.month)}${f.year}${pad(f.hour)}${pad(f.minute)}${pad(f.second)}`;
    const id = `ws_CO_${clock}${f.millisecond}${msisdn.slice(-9)}`;
    if (!isTaken(id)) return id;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 28 characters, as Daraja's access tokens have. */
export function accessToken(random: () => number): string {
  let token = '';
  while (token.length < 28) token += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return token;
}
