// The phones that the visitor plays: which one is in hand, what each browser remembers.
import type { RouterSimulator } from '../../simulators/router/simulator.ts';

/** What the portal and the hotspot keep on a phone. The admin's own cookie is not among them. */
const PHONE_COOKIES = ['karibu_device', 'karibu_phone', 'karibu_lang', 'hotspot_phone'];
const MOST_PHONES = 20;
/** The same in each run: a phone's browser remembers what it bought the last time. */
export const VISITOR_MACS = Array.from(
  { length: MOST_PHONES },
  (_, index) => `A4:C3:F0:00:00:${(index + 1).toString(16).toUpperCase().padStart(2, '0')}`,
);

export type Jar = Record<string, string>;

export interface VisitorPhone {
  number: number;
  mac: string;
  /** What its browser opens first. */
  url: string;
}

export interface VisitorPhones {
  list(): VisitorPhone[];
  inHand(): VisitorPhone;
  /**
   * Takes another phone in hand, a new one for a `number` that is none yet. All phones share one browser here, so the
   * cookies of the one that is put down are kept, and those of the other come back: answers what to set.
   */
  take(number: number, cookies: Jar): { phone: VisitorPhone; cookies: Record<string, string | null> };
}

export function createVisitorPhones(router: RouterSimulator): VisitorPhones {
  const phones: VisitorPhone[] = [];
  const jars = new Map<VisitorPhone, Jar>();

  function add(): VisitorPhone {
    const number = phones.length + 1;
    const mac = VISITOR_MACS[number - 1] as string;
    const { url } = router.addPhone({ mac, downloadKbps: 1400, uploadKbps: 160 });
    const phone = { number, mac, url };
    phones.push(phone);
    return phone;
  }

  let inHand = add();
  return {
    list: () => [...phones],
    inHand: () => inHand,
    take(number, cookies) {
      const known = phones.find((phone) => phone.number === number);
      const phone = known ?? (phones.length < MOST_PHONES ? add() : inHand);
      const own = Object.fromEntries(
        PHONE_COOKIES.flatMap((name) => (cookies[name] === undefined ? [] : [[name, cookies[name]]])),
      );
      jars.set(inHand, own);
      inHand = phone;
      const kept = jars.get(phone) ?? {};
      return {
        phone,
        cookies: Object.fromEntries(PHONE_COOKIES.map((name) => [name, kept[name] ?? null])),
      };
    },
  };
}
