// A decision as RADIUS attributes.

import type { SessionReference } from '../../access/accounting.ts';
import type { Accept } from '../../access/authorize.ts';
import { attribute } from '../../protocols/radius/attributes.ts';
import { type OctetLimit, octetLimit } from '../../protocols/radius/octet-limit.ts';
import { type Attribute, Code } from '../../protocols/radius/packet.ts';
import { mikrotikRateLimit } from '../../protocols/radius/rate-limit.ts';
import type { Reply } from '../../protocols/radius/server.ts';
import { writeClass } from './session-class.ts';

const MOST_SECONDS = 0xffffffff;

/**
 * What RouterOS honours for a hotspot or a PPPoE server (routeros.md §1.4). A limit of 0 would mean none there, so nothing that is
 * used up ever gets this far; the smallest value sent is 1. `proof` answers the way the password was proved.
 */
export function acceptReply(
  decision: Accept,
  reference: SessionReference,
  interimSeconds: number,
  proof: readonly Attribute[],
): Reply {
  const attributes = [...proof, attribute('Class', writeClass(reference))];
  if (decision.session_timeout_seconds !== null) {
    const seconds = Math.min(Math.max(Math.floor(decision.session_timeout_seconds), 1), MOST_SECONDS);
    attributes.push(attribute('Session-Timeout', seconds));
  }
  if (decision.idle_timeout_seconds !== null) {
    attributes.push(attribute('Idle-Timeout', decision.idle_timeout_seconds));
  }
  if (decision.static_address !== null) {
    attributes.push(attribute('Framed-IP-Address', decision.static_address));
  }
  if (decision.address_pool !== null) attributes.push(attribute('Framed-Pool', decision.address_pool));
  if (decision.address_list !== null) {
    attributes.push(attribute('Mikrotik-Address-List', decision.address_list));
  }
  const rate = mikrotikRateLimit(decision);
  if (rate) attributes.push(attribute('Mikrotik-Rate-Limit', rate));
  const limit = (name: OctetLimit, octets: number | null) => {
    if (octets !== null) attributes.push(...octetLimit(name, Math.max(octets, 1)));
  };
  limit('Mikrotik-Total-Limit', decision.octets_left);
  // In the router's view: it receives what the subscriber sends.
  limit('Mikrotik-Recv-Limit', decision.upload_octets_left);
  limit('Mikrotik-Xmit-Limit', decision.download_octets_left);
  attributes.push(attribute('Acct-Interim-Interval', interimSeconds));
  return { code: Code.AccessAccept, attributes };
}

/** `text` is what the guest reads; `error` is what the password method wants beside the message, if anything. */
export function rejectReply(text: string, error: Attribute | undefined): Reply {
  const message = attribute('Reply-Message', text);
  return { code: Code.AccessReject, attributes: error ? [error, message] : [message] };
}
