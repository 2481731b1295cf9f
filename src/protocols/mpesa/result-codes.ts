// Lists what each M-PESA result code means to a guest, to the operator, to the program.

/**
 * - `final`: this checkout request will not change any more. Money evidence that comes later still wins.
 * - `retry`: may the guest be offered another prompt (never sent automatically); `later` = after `wait_seconds`.
 * - `en`, `sw`: what the guest reads. `operator`: what the operator reads.
 */
export type ResultCode = {
  code: string;
  final: boolean;
  retry: 'yes' | 'no' | 'later';
  wait_seconds?: number;
  en: string;
  sw: string;
  operator: string;
};

const NOT_CHARGED_EN =
  'Sorry, payments have a fault on our side. You were not charged. Please tell the staff.';
const NOT_CHARGED_SW =
  'Samahani, malipo yana hitilafu upande wetu. Hukutozwa pesa. Tafadhali mjulishe mhudumu.';

/** From the Daraja 3.0 pages, plus observed codes (4999, SFC_IC0003, TP40153). Old G2 broker lists (03–99) are left out. */
export const RESULT_CODES: readonly ResultCode[] = [
  {
    code: '0',
    final: true,
    retry: 'no',
    en: 'Payment received. Karibu!',
    sw: 'Malipo yamepokelewa. Karibu!',
    operator: 'Paid.',
  },
  {
    code: '1',
    final: true,
    retry: 'yes',
    en: 'Your M-PESA balance is too low. Top up, then tap Pay again.',
    sw: 'Salio lako la M-PESA halitoshi. Ongeza salio, kisha bonyeza Lipa tena.',
    operator: 'The payer has too little balance, Fuliza included.',
  },
  {
    code: '2',
    final: true,
    retry: 'no',
    en: 'This amount is too small for M-PESA. Please choose another plan.',
    sw: 'Kiasi hiki ni kidogo mno kwa M-PESA. Tafadhali chagua kifurushi kingine.',
    operator: 'The amount is below the M-PESA minimum (KES 1): check the price of the plan.',
  },
  {
    code: '3',
    final: true,
    retry: 'no',
    en: 'This amount is above the M-PESA limit. Please choose another plan.',
    sw: 'Kiasi hiki kimezidi kikomo cha M-PESA. Tafadhali chagua kifurushi kingine.',
    operator: 'The amount is above the limit for one transaction (KES 250,000).',
  },
  {
    code: '4',
    final: true,
    retry: 'later',
    wait_seconds: 86_400,
    en: 'You have reached your M-PESA limit for today. Try tomorrow, or pay from another number.',
    sw: 'Umefikisha kikomo chako cha M-PESA cha leo. Jaribu kesho, au lipa kwa nambari nyingine.',
    operator: "The payment would exceed the payer's daily limit (KES 500,000).",
  },
  {
    code: '8',
    final: true,
    retry: 'no',
    en: 'Sorry, we cannot receive payments just now. You were not charged. Please tell the staff.',
    sw: 'Samahani, hatuwezi kupokea malipo kwa sasa. Hukutozwa pesa. Tafadhali mjulishe mhudumu.',
    operator: 'Your M-PESA account is at its balance ceiling: withdraw to the bank, then sell again.',
  },
  {
    code: '11',
    final: true,
    retry: 'no',
    en: 'Your M-PESA account cannot pay just now. Call 100, or pay from another number.',
    sw: 'Akaunti yako ya M-PESA haiwezi kulipa kwa sasa. Piga 100, au lipa kwa nambari nyingine.',
    operator: "The payer's M-PESA account is in an invalid state.",
  },
  {
    code: '17',
    final: true,
    retry: 'later',
    wait_seconds: 120,
    en: 'Please wait two minutes before you pay the same amount again.',
    sw: 'Tafadhali subiri dakika mbili kabla ya kulipa kiasi kile kile tena.',
    operator: 'Rule limited: the same amount from the same number within two minutes.',
  },
  {
    code: '20',
    final: true,
    retry: 'no',
    en: NOT_CHARGED_EN,
    sw: NOT_CHARGED_SW,
    operator: 'M-PESA does not know the initiator: check the M-PESA settings.',
  },
  {
    code: '21',
    final: true,
    retry: 'no',
    en: NOT_CHARGED_EN,
    sw: NOT_CHARGED_SW,
    operator: 'The initiator is not permitted to do this: check its role in the M-PESA organisation portal.',
  },
  {
    code: '22',
    final: true,
    retry: 'no',
    en: NOT_CHARGED_EN,
    sw: NOT_CHARGED_SW,
    operator: 'The initiator is not permitted to do this: check its role in the M-PESA organisation portal.',
  },
  {
    code: '26',
    final: true,
    retry: 'later',
    wait_seconds: 60,
    en: 'M-PESA is busy. You were not charged. Please try again in a minute.',
    sw: 'M-PESA ina shughuli nyingi. Hukutozwa pesa. Tafadhali jaribu tena baada ya dakika moja.',
    operator: 'M-PESA is blocking traffic or busy.',
  },
  {
    code: '1001',
    final: true,
    retry: 'later',
    wait_seconds: 60,
    en: 'Another M-PESA menu is open on your phone. Finish or close it, wait a minute, then tap Pay again.',
    sw: 'Kuna menyu nyingine ya M-PESA kwenye simu yako. Ikamilishe au uifunge, subiri dakika moja, kisha bonyeza Lipa tena.',
    operator: 'The subscriber could not be locked: another session was open on the phone.',
  },
  {
    code: '1019',
    final: true,
    retry: 'yes',
    en: 'The request expired before it was paid. Tap Pay to get a new one.',
    sw: 'Ombi liliisha muda kabla ya kulipwa. Bonyeza Lipa upate jipya.',
    operator: 'The transaction expired before the guest answered.',
  },
  {
    code: '1025',
    final: true,
    retry: 'yes',
    en: 'The M-PESA request did not reach your phone. Tap Pay to try again.',
    sw: 'Ombi la M-PESA halikufika kwenye simu yako. Bonyeza Lipa ujaribu tena.',
    operator: 'The prompt could not be sent; often because its text is longer than 182 characters.',
  },
  {
    code: '1032',
    final: true,
    retry: 'yes',
    en: 'You cancelled the payment. Tap Pay whenever you are ready.',
    sw: 'Umeghairi malipo. Bonyeza Lipa ukiwa tayari.',
    operator: 'The guest cancelled, or the prompt was dismissed on the phone.',
  },
  {
    code: '1037',
    final: true,
    retry: 'yes',
    en: 'Your phone did not answer. Unlock it, close other menus, then tap Pay again.',
    sw: 'Simu yako haikujibu. Ifungue, funga menyu nyingine, kisha bonyeza Lipa tena.',
    operator:
      'No answer from the phone: off, out of reach, or the prompt was left alone. *234# updates old SIM menus.',
  },
  {
    code: '2001',
    final: true,
    retry: 'yes',
    en: 'The M-PESA PIN was wrong. You were not charged. Tap Pay to try again.',
    sw: 'PIN ya M-PESA haikuwa sahihi. Hukutozwa pesa. Bonyeza Lipa ujaribu tena.',
    operator: 'The guest entered a wrong PIN.',
  },
  {
    code: '2006',
    final: true,
    retry: 'no',
    en: 'This number cannot pay with M-PESA. Please use another Safaricom number.',
    sw: 'Nambari hii haiwezi kulipa kwa M-PESA. Tafadhali tumia nambari nyingine ya Safaricom.',
    operator: "A rule of the payer's account forbids the payment.",
  },
  {
    code: '2028',
    final: true,
    retry: 'no',
    en: NOT_CHARGED_EN,
    sw: NOT_CHARGED_SW,
    operator: 'Paybill and till are mixed up: check shortcode, till number and kind in the M-PESA settings.',
  },
  {
    code: '2040',
    final: true,
    retry: 'no',
    en: 'This number is not registered for M-PESA. Please use another Safaricom number.',
    sw: 'Nambari hii haijasajiliwa kwa M-PESA. Tafadhali tumia nambari nyingine ya Safaricom.',
    operator: 'The payer is not registered for M-PESA.',
  },
  {
    code: '4999',
    final: false,
    retry: 'no',
    en: 'Waiting for your M-PESA PIN…',
    sw: 'Tunasubiri PIN yako ya M-PESA…',
    operator: 'Still being processed.',
  },
  {
    code: '8006',
    final: true,
    retry: 'no',
    en: 'Your M-PESA PIN is locked. Call 100 to unlock it, or pay from another number.',
    sw: 'PIN yako ya M-PESA imefungwa. Piga 100 ifunguliwe, au lipa kwa nambari nyingine.',
    operator: "The payer's security credential is locked.",
  },
  {
    code: '9999',
    final: true,
    retry: 'yes',
    en: 'The M-PESA request could not be sent. Tap Pay to try again.',
    sw: 'Ombi la M-PESA halikuweza kutumwa. Bonyeza Lipa ujaribu tena.',
    operator: 'M-PESA could not send the prompt.',
  },
  {
    code: 'SFC_IC0003',
    final: true,
    retry: 'no',
    en: NOT_CHARGED_EN,
    sw: NOT_CHARGED_SW,
    operator: 'M-PESA does not know the receiver: check the till number or shortcode, and the kind.',
  },
  {
    code: 'TP40153',
    final: true,
    retry: 'no',
    en: NOT_CHARGED_EN,
    sw: NOT_CHARGED_SW,
    operator: 'The API operator lacks a permission: check its role in the M-PESA organisation portal.',
  },
];

const BY_CODE = new Map(RESULT_CODES.map((entry) => [entry.code, entry]));

/** What a result code means. A code that is not listed is not final: the payment is being checked, never failed. */
export function describeResult(code: string): ResultCode {
  return (
    BY_CODE.get(code) ?? {
      code,
      final: false,
      retry: 'no',
      en: 'We are checking your payment. Please do not pay again yet.',
      sw: 'Tunakagua malipo yako. Tafadhali usilipe tena kwa sasa.',
      operator: `M-PESA answered with an unknown code (${code}): the payment is being checked.`,
    }
  );
}

/**
 * What a result of an initiator's request means; `done` only for "0" and what is as good. `no_payment`: there is none with
 * this code. `initiator_fault`: whoever asks may not, whatever is asked. See describeInitiatorResult.
 */
export type InitiatorResultCode = ResultCode & {
  done: boolean;
  no_payment?: boolean;
  initiator_fault?: boolean;
};

const LOOKUP_FAULT_EN =
  'We cannot check with M-PESA just now. Your payment is safe. Please show your M-PESA SMS to the staff.';
const LOOKUP_FAULT_SW =
  'Hatuwezi kuangalia M-PESA kwa sasa. Malipo yako yako salama. Tafadhali mwonyeshe mhudumu SMS yako ya M-PESA.';

const initiatorCode = (
  code: string,
  retry: ResultCode['retry'],
  operator: string,
  more: Partial<InitiatorResultCode> = {},
): InitiatorResultCode => ({
  code,
  done: false,
  final: true,
  retry,
  en: LOOKUP_FAULT_EN,
  sw: LOOKUP_FAULT_SW,
  operator,
  ...more,
});

const OURS = { initiator_fault: true };
const MAY_NOT = 'The initiator may not do this: check its role in the M-PESA organisation portal.';

/** Of Transaction Status, Reversal and Account Balance: one number means another thing here than on a push. */
export const INITIATOR_RESULT_CODES: readonly InitiatorResultCode[] = [
  initiatorCode('0', 'no', 'Done.', {
    done: true,
    en: 'M-PESA has answered.',
    sw: 'M-PESA imejibu.',
  }),
  initiatorCode(
    '1',
    'no',
    'Your M-PESA account has too little money, perhaps because it was already settled to the bank.',
  ),
  initiatorCode('11', 'no', 'Your M-PESA account, or that of the payer, is in an invalid state.'),
  initiatorCode(
    '20',
    'no',
    'M-PESA does not know the initiator: check its name in the M-PESA settings.',
    OURS,
  ),
  initiatorCode('21', 'no', MAY_NOT, OURS),
  initiatorCode('22', 'no', MAY_NOT, OURS),
  initiatorCode('26', 'later', 'M-PESA is blocking traffic or busy.', { wait_seconds: 60 }),
  initiatorCode(
    '2001',
    'no',
    "The initiator's password or the certificate is wrong, or its 90 days are over: set a new password in the organisation portal, then here. Do not try again before: it gets locked.",
    OURS,
  ),
  initiatorCode('2006', 'no', 'A rule of the M-PESA account forbids this.'),
  initiatorCode(
    '2028',
    'no',
    'The shortcode is not allowed to do this: ask Safaricom for the product.',
    OURS,
  ),
  initiatorCode(
    '8006',
    'no',
    'The initiator is locked after wrong passwords: unlock it in the organisation portal.',
    OURS,
  ),
  initiatorCode('R000001', 'no', 'This payment was reversed before.', {
    done: true,
    en: 'This payment was sent back to you.',
    sw: 'Malipo haya yamerudishwa kwako.',
  }),
  initiatorCode('R000002', 'no', 'M-PESA knows no payment with this code.', {
    no_payment: true,
    en: 'M-PESA does not know this code. Check it letter by letter in your SMS.',
    sw: 'M-PESA haitambui nambari hii. Iangalie herufi kwa herufi kwenye SMS yako.',
  }),
  initiatorCode(
    'TP40153',
    'no',
    'The API operator lacks a permission: check its role in the M-PESA organisation portal.',
    OURS,
  ),
];

const INITIATOR_BY_CODE = new Map(INITIATOR_RESULT_CODES.map((entry) => [entry.code, entry]));

/** What a result code of an initiator's request means; one that is not listed decides nothing. */
export function describeInitiatorResult(code: string): InitiatorResultCode {
  return (
    INITIATOR_BY_CODE.get(code) ??
    initiatorCode(code, 'no', `M-PESA answered with an unknown code (${code}): nothing is decided by it.`, {
      final: false,
    })
  );
}
