// What SMS forwarding apps send: the sender and the text of one message, in the forms they use.

export interface ForwardedSms {
  /** As the phone names it; undefined where the app sends the text alone. */
  from: string | undefined;
  text: string;
}

const FROM = ['from', 'sender', 'address', 'phoneNumber', 'phone', 'number', 'contact', 'title'];
const TEXT = ['message', 'text', 'body', 'content', 'msg', 'sms'];
/** Where apps put the message when it is not on top. */
const INSIDE = ['payload', 'data', 'sms', 'message'];

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstText(fields: Fields, names: readonly string[]): string | undefined {
  const name = names.find((one) => typeof fields[one] === 'string' && fields[one] !== '');
  return name && (fields[name] as string);
}

function readFields(fields: Fields): ForwardedSms | undefined {
  const text = firstText(fields, TEXT);
  if (text !== undefined) return { from: firstText(fields, FROM), text };
  for (const name of INSIDE) {
    const inner = fields[name];
    const found = isFields(inner) ? readFields(inner) : undefined;
    if (found) return found;
  }
  return undefined;
}

function readJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // Then it is a form, or the text itself.
  }
}

/** Reads a forwarder's request: JSON, a form, or the text alone (its first line may be `From: MPESA`). */
export function readForwardedSms(body: string, contentType = ''): ForwardedSms | undefined {
  const json = readJson(body);
  if (isFields(json)) return readFields(json);
  if (typeof json === 'string') return { from: undefined, text: json };
  if (contentType.startsWith('application/x-www-form-urlencoded')) {
    return readFields(Object.fromEntries(new URLSearchParams(body)));
  }
  const headed = /^\s*(?:from|sender)\s*:\s*(\S+)\s*\r?\n([\s\S]+)$/i.exec(body);
  if (headed) return { from: headed[1], text: headed[2] as string };
  return body.trim() === '' ? undefined : { from: undefined, text: body };
}

/** Whether the phone says that M-PESA wrote it. A text without a sender has the address alone as its proof. */
export function isFromMpesa(from: string | undefined): boolean {
  return from === undefined || /^m-?pesa$/i.test(from.trim());
}
