// A shop's counter: guests who buy, M-PESA as scripted, notices that strangers write.
import { expect } from 'vitest';
import type { Knobs, MpesaSimulator, Prompt } from '../../../../src/simulators/mpesa/index.ts';
import { send } from '../../support/api.ts';
import { order, type PortalOrder, type Shop } from '../../support/shop.ts';

type Script = Partial<Omit<Knobs, 'rules'>>;

export interface Guest {
  number: string;
  msisdn: string;
  mac: string;
}

let guests = 0;

export function newGuest(): Guest {
  guests += 1;
  const number = `0726${String(guests).padStart(6, '0')}`;
  const digits = guests.toString(16).toUpperCase().padStart(4, '0');
  return {
    number,
    msisdn: `254${number.slice(1)}`,
    mac: `5A:00:00:05:${digits.slice(0, 2)}:${digits.slice(2)}`,
  };
}

/** Scripts what becomes of a guest's next push or payment by hand. */
export function script(mpesa: MpesaSimulator, guest: Guest, set: Script): void {
  const rules = mpesa.knobs().rules.filter(({ times }) => times !== 0);
  mpesa.setKnobs({ rules: [...rules, { match: { msisdn: guest.msisdn }, set, times: 1 }] });
}

/** A guest orders; the prompt is answered with the PIN unless the script says otherwise. */
export async function push(
  shop: Pick<Shop, 'karibu' | 'mpesa' | 'plan'>,
  set: Script = {},
  guest = newGuest(),
): Promise<PortalOrder & { guest: Guest }> {
  script(shop.mpesa, guest, { outcome: '0', ...set });
  return { ...(await order(shop.karibu, shop.plan, guest.number, guest.mac)), guest };
}

/** The newest prompt of a guest, on the phone or decided. */
export function promptOf(shop: Pick<Shop, 'mpesa'>, guest: Guest): Prompt {
  const found = shop.mpesa.prompts().findLast(({ msisdn }) => msisdn === guest.msisdn);
  if (!found) throw new Error(`no prompt came to ${guest.msisdn}`);
  return found;
}

export interface Forgery {
  receipt?: string;
  amount?: number;
  msisdn?: string;
  checkout_request_id?: string;
}

/** The success callback of a prompt, as M-PESA writes it or with what a forger puts in its place. */
export function successBody(prompt: Prompt, forgery: Forgery = {}): string {
  const item = (Name: string, Value: unknown) => ({ Name, Value });
  return JSON.stringify({
    Body: {
      stkCallback: {
        MerchantRequestID: prompt.merchant_request_id,
        CheckoutRequestID: forgery.checkout_request_id ?? prompt.checkout_request_id,
        ResultCode: 0,
        ResultDesc: 'The service request is processed successfully.',
        CallbackMetadata: {
          Item: [
            item('Amount', forgery.amount ?? prompt.amount_shillings),
            item('MpesaReceiptNumber', forgery.receipt ?? prompt.receipt ?? 'UKL0FORGED'),
            item('TransactionDate', 20261121120000),
            item('PhoneNumber', Number(forgery.msisdn ?? prompt.msisdn)),
          ],
        },
      },
    },
  });
}

/** Someone posts to the callback door; the answer's status. */
export async function post(
  url: string,
  raw: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<number> {
  return (await send('POST', url, { raw, headers })).status;
}

/** Nobody was given anything for an order. */
export async function expectNothingGranted(shop: Shop, id: string): Promise<void> {
  const detail = await shop.api.get<{ entitlement_id: string | null; payments: unknown[] }>(`/orders/${id}`);
  expect(detail).toMatchObject({ entitlement_id: null, payments: [] });
}
