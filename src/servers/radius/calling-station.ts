// Who calls: the device behind an Access-Request or a report, as the router names it.
import { normalizeMac } from '../../lib/mac.ts';
import { getString } from '../../protocols/radius/attributes.ts';
import type { Packet } from '../../protocols/radius/packet.ts';

/** More than any address takes. */
const MOST_CHARACTERS = 64;

export interface CallingStation {
  /** `AA:BB:CC:DD:EE:FF`; `''` where it is no MAC address. */
  mac: string;
  /**
   * What stands for the device: its MAC address, else the text itself. Of an L2TP, SSTP or PPTP client that is the
   * address it calls from. `''` where the router says nothing.
   */
  device: string;
}

/** What Calling-Station-Id says (RFC 2865 §5.31), without the NUL that PostgreSQL's text cannot hold. */
export function callingStation(request: Packet): CallingStation {
  const station = getString(request, 'Calling-Station-Id') ?? '';
  const mac = normalizeMac(station) ?? '';
  return { mac, device: mac || station.replaceAll('\0', '\ufffd').slice(0, MOST_CHARACTERS) };
}
