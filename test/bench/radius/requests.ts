// Makes the packets that a RouterOS hotspot sends, before the clock runs: they are the sender's cost.

import { newId } from '../../../src/lib/ids.ts';
import { attribute } from '../../../src/protocols/radius/attributes.ts';
import { AcctStatusType } from '../../../src/protocols/radius/dictionary.ts';
import {
  type Attribute,
  Code,
  encodeRequest,
  newAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { chapPassword, hidePassword } from '../../../src/protocols/radius/passwords.ts';
import { writeClass } from '../../../src/servers/radius/session-class.ts';

/** A guest who can sign in. */
export interface Guest {
  username: string;
  password: string;
  mac: string;
  credential_id: string;
  entitlement_id: string;
}

function common(guest: Guest): Attribute[] {
  return [
    attribute('NAS-Port-Type', 19),
    attribute('Calling-Station-Id', guest.mac),
    attribute('Called-Station-Id', 'hotspot1'),
    attribute('NAS-Port-Id', 'bridge1'),
    attribute('User-Name', guest.username),
    attribute('NAS-Port', 2148532244),
    attribute('Framed-IP-Address', '10.5.50.2'),
    attribute('NAS-Identifier', 'kiosk-7'),
    attribute('NAS-IP-Address', '10.99.0.2'),
  ];
}

/** An Access-Request, signed with Message-Authenticator. */
export function accessRequest(
  guest: Guest,
  method: 'pap' | 'chap',
  identifier: number,
  secret: Buffer,
): Buffer {
  const authenticator = newAuthenticator();
  const password =
    method === 'pap'
      ? attribute('User-Password', hidePassword(guest.password, secret, authenticator))
      : attribute('CHAP-Password', chapPassword(identifier, guest.password, authenticator));
  const attributes = [...common(guest), attribute('Acct-Session-Id', '80100014'), password];
  const content = { code: Code.AccessRequest, identifier, authenticator, attributes };
  return encodeRequest(content, secret, { messageAuthenticator: 'last' }).bytes;
}

/** A whole session: Start, three Interims, Stop. */
export function accountingOfSession(
  guest: Guest,
  sessionId: string,
  identifier: number,
  secret: Buffer,
): Buffer[] {
  const reference = {
    credential_id: guest.credential_id,
    entitlement_id: guest.entitlement_id,
    accept_id: newId(Date.now()),
  };
  const report = (status: number, minutes: number, ...more: Attribute[]) =>
    encodeRequest(
      {
        code: Code.AccountingRequest,
        identifier,
        attributes: [
          attribute('Acct-Status-Type', status),
          ...common(guest),
          attribute('Acct-Session-Id', sessionId),
          attribute('Class', writeClass(reference)),
          attribute('Acct-Session-Time', minutes * 60),
          attribute('Acct-Input-Octets', minutes * 400_000),
          attribute('Acct-Output-Octets', minutes * 9_000_000),
          ...more,
        ],
      },
      secret,
    ).bytes;
  return [
    report(AcctStatusType.Start, 0),
    ...[1, 2, 3].map((minutes) => report(AcctStatusType['Interim-Update'], minutes)),
    report(AcctStatusType.Stop, 4, attribute('Acct-Terminate-Cause', 1)),
  ];
}
