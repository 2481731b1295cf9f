// Asks Daraja for a QR code that pays a paybill or till.
import { type DarajaCall, refusedHere, type Unknown, unknownAnswer } from './daraja-call.ts';
import { type Refused, readError } from './refusals.ts';
import { asText } from './shapes.ts';

/**
 * `reference` is the account a payment arrives with, through C2B; `pixels` is the side of the picture.
 * `amount_shillings` is what the payer's phone proposes.
 */
export type DynamicQrRequest = {
  merchant_name: string;
  reference: string;
  amount_shillings: number;
  pixels?: number;
};

export type DynamicQrResult = { outcome: 'made'; png: Uint8Array } | Refused | Unknown;

const PNG_SIGNATURE = '89504e470d0a1a0a';

/** POST /mpesa/qrcode/v1/generate. Live answers have ResponseCode "00", the documents an AG_ id: the picture decides. */
export async function dynamicQr(
  call: DarajaCall,
  receiver: { kind: 'paybill' | 'till'; number: string },
  request: DynamicQrRequest,
): Promise<DynamicQrResult> {
  if (request.merchant_name.trim() === '') return refusedHere('The name on the QR code is missing.');
  if (!/^[A-Za-z0-9 ._-]{1,20}$/.test(request.reference)) {
    return refusedHere('The account reference must be 1 to 20 letters and digits.');
  }
  if (!Number.isSafeInteger(request.amount_shillings) || request.amount_shillings < 1) {
    return refusedHere('The amount must be whole shillings, at least KES 1.');
  }
  const answer = await call.post('/mpesa/qrcode/v1/generate', {
    MerchantName: request.merchant_name,
    RefNo: request.reference,
    Amount: request.amount_shillings,
    TrxCode: receiver.kind === 'till' ? 'BG' : 'PB',
    CPI: receiver.number,
    Size: String(request.pixels ?? 300),
  });
  if ('outcome' in answer) return answer;
  if (answer.kind !== 'answer' || answer.status !== 200 || readError(answer.json))
    return unknownAnswer(answer);
  const png = Buffer.from(asText(answer.json?.QRCode), 'base64');
  if (png.subarray(0, 8).toString('hex') !== PNG_SIGNATURE) return unknownAnswer(answer);
  return { outcome: 'made', png: new Uint8Array(png) };
}
