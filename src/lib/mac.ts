// MAC addresses in every spelling a router or a link may use.

const NORMAL = /^(?:[0-9A-F]{2}:){5}[0-9A-F]{2}$/;

/** Whether a device is named by its MAC address, as normalizeMac writes it. */
export function isMac(text: string): boolean {
  return NORMAL.test(text);
}

/** `AA:BB:CC:DD:EE:FF`, or undefined when the text is no MAC address. */
export function normalizeMac(text: string): string | undefined {
  if (text.length < 12) return undefined;
  if (NORMAL.test(text)) return text;
  const digits = text.replace(/[:.\-\s]/g, '').toUpperCase();
  return /^[0-9A-F]{12}$/.test(digits) ? digits.replace(/(..)(?=.)/g, '$1:') : undefined;
}
