// Names the organisations that the simulated M-PESA knows.

/**
 * `shortcode`: the paybill, or a till's store number. `till_number`: where a till's money goes (PartyB).
 * `initiator`: who may ask for status, reversal and balance; SIMULATED_INITIATOR when left out.
 */
export type Merchant = {
  name: string;
  kind: 'paybill' | 'till';
  shortcode: string;
  till_number?: string;
  passkey: string;
  consumer_key: string;
  consumer_secret: string;
  initiator?: { name: string; password: string };
};

/** The initiator of every organisation that names none: the sandbox's name, a password for training. */
export const SIMULATED_INITIATOR = { name: 'testapi', password: 'Karibu#2026' } as const;

// Safaricom's public sandbox passkey: recognisable, and no secret of anyone.
const PASSKEY = 'bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919';

/** What a simulator knows unless it is told otherwise: the sandbox paybill, and a till. */
export const SIMULATED_MERCHANTS: readonly Merchant[] = [
  {
    name: 'KARIBU WIFI',
    kind: 'paybill',
    shortcode: '174379',
    passkey: PASSKEY,
    consumer_key: 'simulator-key',
    consumer_secret: 'simulator-secret',
  },
  {
    name: 'KARIBU WIFI',
    kind: 'till',
    shortcode: '600100',
    till_number: '5600100',
    passkey: PASSKEY,
    consumer_key: 'simulator-till-key',
    consumer_secret: 'simulator-till-secret',
  },
];
