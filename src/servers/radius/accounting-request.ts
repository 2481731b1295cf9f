// Takes Accounting-Requests: the one place where the wire's words become ours.
import type { AccountingEvent } from '../../access/accounting.ts';
import {
  foldGigawords,
  getAddress,
  getInteger,
  getString,
  hasAttribute,
} from '../../protocols/radius/attributes.ts';
import { AcctStatusType } from '../../protocols/radius/dictionary.ts';
import type { Packet } from '../../protocols/radius/packet.ts';
import { callingStation } from './calling-station.ts';
import type { Nas } from './context.ts';
import { readClass } from './session-class.ts';

const KINDS: Record<number, 'start' | 'interim' | 'stop'> = {
  [AcctStatusType.Start]: 'start',
  [AcctStatusType['Interim-Update']]: 'interim',
  [AcctStatusType.Stop]: 'stop',
};

/** Four petabytes, a hundred days of 4 Gbps: a session that says more has a broken counter, which counts for nothing. */
const MOST_OCTETS = 2 ** 52;

/** A text attribute as the store can hold it: PostgreSQL's text has no NUL. */
function text(request: Packet, name: 'User-Name' | 'NAS-Port-Id' | 'Acct-Session-Id'): string | undefined {
  return getString(request, name)?.replaceAll('\0', '\ufffd');
}

/**
 * An Accounting-Request as an event. Input is what the router received: the subscriber's upload (routeros.md §1.5,
 * observed). `now` is when it came; Acct-Delay-Time says how long the router had it (RFC 2866 §5.2).
 * `source` is the address that it came from.
 * Undefined for a status type that says nothing about sessions, or one that names none.
 */
export function readAccounting(
  request: Packet,
  nas: Nas,
  source: string,
  now: number,
): AccountingEvent | undefined {
  const nas_source = nas.byPrefix ? source : null;
  const status = getInteger(request, 'Acct-Status-Type');
  const at = now - (getInteger(request, 'Acct-Delay-Time') ?? 0) * 1000;
  if (status === AcctStatusType['Accounting-On'] || status === AcctStatusType['Accounting-Off']) {
    return { kind: 'router_restart', router_id: nas.id, nas_source, at };
  }
  const kind = status === undefined ? undefined : KINDS[status];
  const sessionId = text(request, 'Acct-Session-Id');
  if (!kind || !sessionId) return undefined;
  const counter = (
    low: 'Acct-Input-Octets' | 'Acct-Output-Octets',
    high: 'Acct-Input-Gigawords' | 'Acct-Output-Gigawords',
  ) => {
    const octets = foldGigawords(getInteger(request, low) ?? 0, getInteger(request, high) ?? 0);
    return octets <= MOST_OCTETS ? octets : 0;
  };
  const port = getInteger(request, 'NAS-Port');
  // RouterOS always sends both (routeros.md §1.5); a router that never does starts its 32 bits anew.
  const wraps =
    hasAttribute(request, 'Acct-Input-Octets') &&
    hasAttribute(request, 'Acct-Output-Octets') &&
    !hasAttribute(request, 'Acct-Input-Gigawords') &&
    !hasAttribute(request, 'Acct-Output-Gigawords');
  return {
    kind,
    router_id: nas.id,
    nas_source,
    username: text(request, 'User-Name') ?? '',
    acct_session_id: sessionId,
    reference: readClass(getString(request, 'Class')) ?? null,
    nas_port_id: text(request, 'NAS-Port-Id') ?? port?.toString() ?? null,
    nas_ip: getAddress(request, 'NAS-IP-Address') ?? null,
    mac: callingStation(request).device || null,
    ip: getAddress(request, 'Framed-IP-Address') ?? null,
    session_seconds: getInteger(request, 'Acct-Session-Time') ?? 0,
    upload_octets: counter('Acct-Input-Octets', 'Acct-Input-Gigawords'),
    download_octets: counter('Acct-Output-Octets', 'Acct-Output-Gigawords'),
    counters_wrap: wraps,
    terminate_cause: kind === 'stop' ? (getInteger(request, 'Acct-Terminate-Cause') ?? 0) : null,
    at,
  };
}
