// Sending a text from the phone that shows the page.

/**
 * Opens the phone's own messages with a text, to `2547…` or to whom is chosen there. Apple's reads `&body`, Android's
 * `?body`: written like this both do.
 */
export function smsHref(msisdn: string | null, text: string): string {
  return `sms:${msisdn ? `+${msisdn}` : ''}?&body=${encodeURIComponent(text)}`;
}

/** Whether this is a phone or tablet: a computer has nothing to send it with. */
export function canSendSms(): boolean {
  return window.matchMedia('(pointer: coarse)').matches;
}
