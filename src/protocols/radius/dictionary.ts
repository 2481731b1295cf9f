// The names, numbers and kinds of the attributes we use or see.

/** How a value is written: the kinds of RFC 2865 §5, with IPv6's of RFC 3162. `date` is seconds since 1970 on the wire. */
export type AttributeKind = 'string' | 'octets' | 'integer' | 'ipaddr' | 'date' | 'ipv6addr' | 'ipv6prefix';

export interface Definition {
  readonly type: number;
  readonly vendor: number;
  readonly kind: AttributeKind;
}

/** IANA private enterprise numbers. */
export const Vendor = {
  Microsoft: 311,
  Ascend: 529,
  Redback: 2352,
  WISPr: 14122,
  MikroTik: 14988,
} as const;

function of<K extends AttributeKind>(type: number, kind: K, vendor = 0): Definition & { readonly kind: K } {
  return { type, vendor, kind };
}
const microsoft = <K extends AttributeKind>(type: number, kind: K) => of(type, kind, Vendor.Microsoft);
const ascend = <K extends AttributeKind>(type: number, kind: K) => of(type, kind, Vendor.Ascend);
const redback = <K extends AttributeKind>(type: number, kind: K) => of(type, kind, Vendor.Redback);
const wispr = <K extends AttributeKind>(type: number, kind: K) => of(type, kind, Vendor.WISPr);
const mikrotik = <K extends AttributeKind>(type: number, kind: K) => of(type, kind, Vendor.MikroTik);

/** Every attribute this program knows by name. Others are carried by number. */
export const dictionary = {
  // RFC 2865
  'User-Name': of(1, 'string'),
  'User-Password': of(2, 'octets'),
  'CHAP-Password': of(3, 'octets'),
  'NAS-IP-Address': of(4, 'ipaddr'),
  'NAS-Port': of(5, 'integer'),
  'Service-Type': of(6, 'integer'),
  'Framed-Protocol': of(7, 'integer'),
  'Framed-IP-Address': of(8, 'ipaddr'),
  'Framed-IP-Netmask': of(9, 'ipaddr'),
  'Framed-Routing': of(10, 'integer'),
  'Filter-Id': of(11, 'string'),
  'Framed-MTU': of(12, 'integer'),
  'Framed-Compression': of(13, 'integer'),
  'Reply-Message': of(18, 'string'),
  'Framed-Route': of(22, 'string'),
  State: of(24, 'octets'),
  Class: of(25, 'octets'),
  'Session-Timeout': of(27, 'integer'),
  'Idle-Timeout': of(28, 'integer'),
  'Termination-Action': of(29, 'integer'),
  'Called-Station-Id': of(30, 'string'),
  'Calling-Station-Id': of(31, 'string'),
  'NAS-Identifier': of(32, 'string'),
  'Proxy-State': of(33, 'octets'),
  'CHAP-Challenge': of(60, 'octets'),
  'NAS-Port-Type': of(61, 'integer'),
  'Port-Limit': of(62, 'integer'),

  // RFC 2866
  'Acct-Status-Type': of(40, 'integer'),
  'Acct-Delay-Time': of(41, 'integer'),
  'Acct-Input-Octets': of(42, 'integer'),
  'Acct-Output-Octets': of(43, 'integer'),
  'Acct-Session-Id': of(44, 'string'),
  'Acct-Authentic': of(45, 'integer'),
  'Acct-Session-Time': of(46, 'integer'),
  'Acct-Input-Packets': of(47, 'integer'),
  'Acct-Output-Packets': of(48, 'integer'),
  'Acct-Terminate-Cause': of(49, 'integer'),
  'Acct-Multi-Session-Id': of(50, 'string'),
  'Acct-Link-Count': of(51, 'integer'),

  // RFC 2869
  'Acct-Input-Gigawords': of(52, 'integer'),
  'Acct-Output-Gigawords': of(53, 'integer'),
  'Event-Timestamp': of(55, 'date'),
  'Connect-Info': of(77, 'string'),
  'EAP-Message': of(79, 'octets'),
  'Message-Authenticator': of(80, 'octets'),
  'Acct-Interim-Interval': of(85, 'integer'),
  'NAS-Port-Id': of(87, 'string'),
  'Framed-Pool': of(88, 'string'),

  // RFC 4372, 3162, 5176, 4818
  'Chargeable-User-Identity': of(89, 'octets'),
  'NAS-IPv6-Address': of(95, 'ipv6addr'),
  'Framed-IPv6-Prefix': of(97, 'ipv6prefix'),
  'Framed-IPv6-Pool': of(100, 'string'),
  'Error-Cause': of(101, 'integer'),
  'Delegated-IPv6-Prefix': of(123, 'ipv6prefix'),

  // MikroTik, RouterOS 7 manual and FreeRADIUS's dictionary agree
  'Mikrotik-Recv-Limit': mikrotik(1, 'integer'),
  'Mikrotik-Xmit-Limit': mikrotik(2, 'integer'),
  'Mikrotik-Group': mikrotik(3, 'string'),
  'Mikrotik-Wireless-Forward': mikrotik(4, 'integer'),
  'Mikrotik-Wireless-Skip-Dot1x': mikrotik(5, 'integer'),
  'Mikrotik-Wireless-Enc-Algo': mikrotik(6, 'integer'),
  'Mikrotik-Wireless-Enc-Key': mikrotik(7, 'string'),
  'Mikrotik-Rate-Limit': mikrotik(8, 'string'),
  'Mikrotik-Realm': mikrotik(9, 'string'),
  'Mikrotik-Host-IP': mikrotik(10, 'ipaddr'),
  'Mikrotik-Mark-Id': mikrotik(11, 'string'),
  'Mikrotik-Advertise-URL': mikrotik(12, 'string'),
  'Mikrotik-Advertise-Interval': mikrotik(13, 'integer'),
  'Mikrotik-Recv-Limit-Gigawords': mikrotik(14, 'integer'),
  'Mikrotik-Xmit-Limit-Gigawords': mikrotik(15, 'integer'),
  'Mikrotik-Wireless-PSK': mikrotik(16, 'string'),
  'Mikrotik-Total-Limit': mikrotik(17, 'integer'),
  'Mikrotik-Total-Limit-Gigawords': mikrotik(18, 'integer'),
  'Mikrotik-Address-List': mikrotik(19, 'string'),
  'Mikrotik-Wireless-MPKey': mikrotik(20, 'string'),
  'Mikrotik-Wireless-Comment': mikrotik(21, 'string'),
  'Mikrotik-Delegated-IPv6-Pool': mikrotik(22, 'string'),
  'Mikrotik-DHCP-Option-Set': mikrotik(23, 'string'),
  'Mikrotik-DHCP-Option-Param-STR1': mikrotik(24, 'string'),
  'Mikrotik-DHCP-Option-Param-STR2': mikrotik(25, 'string'),
  'Mikrotik-Wireless-VLANID': mikrotik(26, 'integer'),
  'Mikrotik-Wireless-VLANIDtype': mikrotik(27, 'integer'),
  'Mikrotik-Wireless-Minsignal': mikrotik(28, 'string'),
  'Mikrotik-Wireless-Maxsignal': mikrotik(29, 'string'),
  'Mikrotik-Switching-Filter': mikrotik(30, 'string'),

  'WISPr-Location-ID': wispr(1, 'string'),
  'WISPr-Location-Name': wispr(2, 'string'),
  'WISPr-Logoff-URL': wispr(3, 'string'),
  'WISPr-Redirection-URL': wispr(4, 'string'),
  'WISPr-Bandwidth-Min-Up': wispr(5, 'integer'),
  'WISPr-Bandwidth-Min-Down': wispr(6, 'integer'),
  'WISPr-Bandwidth-Max-Up': wispr(7, 'integer'),
  'WISPr-Bandwidth-Max-Down': wispr(8, 'integer'),
  'WISPr-Session-Terminate-Time': wispr(9, 'string'),
  'WISPr-Session-Terminate-End-Of-Day': wispr(10, 'string'),
  'WISPr-Billing-Class-Of-Service': wispr(11, 'string'),

  // RFC 2548
  'MS-CHAP-Response': microsoft(1, 'octets'),
  'MS-CHAP-Error': microsoft(2, 'octets'),
  'MS-MPPE-Encryption-Policy': microsoft(7, 'integer'),
  'MS-MPPE-Encryption-Types': microsoft(8, 'integer'),
  'MS-CHAP-Domain': microsoft(10, 'string'),
  'MS-CHAP-Challenge': microsoft(11, 'octets'),
  'MS-MPPE-Send-Key': microsoft(16, 'octets'),
  'MS-MPPE-Recv-Key': microsoft(17, 'octets'),
  'MS-CHAP2-Response': microsoft(25, 'octets'),
  'MS-CHAP2-Success': microsoft(26, 'octets'),

  'Ascend-Client-Gateway': ascend(132, 'ipaddr'),
  'Ascend-Data-Rate': ascend(197, 'integer'),
  'Ascend-Xmit-Rate': ascend(255, 'integer'),

  'Agent-Remote-Id': redback(96, 'octets'),
  'Agent-Circuit-Id': redback(97, 'octets'),
} as const;

export type AttributeName = keyof typeof dictionary;

/** The names whose values are of one of these kinds, so that a wrong reader does not compile. */
export type NameOfKind<K extends AttributeKind> = {
  [N in AttributeName]: (typeof dictionary)[N]['kind'] extends K ? N : never;
}[AttributeName];

const nameByNumber = new Map<string, AttributeName>(
  (Object.keys(dictionary) as AttributeName[]).map((name) => [
    `${dictionary[name].vendor}/${dictionary[name].type}`,
    name,
  ]),
);

/** The name of an attribute, or `vendor/type` in numbers when it has none here. */
export function attributeName(vendor: number, type: number): string {
  const key = `${vendor}/${type}`;
  return nameByNumber.get(key) ?? key;
}

/** RFC 2866 §5.1. */
export const AcctStatusType = {
  Start: 1,
  Stop: 2,
  'Interim-Update': 3,
  'Accounting-On': 7,
  'Accounting-Off': 8,
} as const;

/** RFC 2865 §5.6. A hotspot sends Login-User, PPPoE Framed-User. */
export const ServiceType = {
  'Login-User': 1,
  'Framed-User': 2,
  'Callback-Login-User': 3,
  'Callback-Framed-User': 4,
  'Outbound-User': 5,
  'Administrative-User': 6,
  'NAS-Prompt-User': 7,
  'Authenticate-Only': 8,
  'Callback-NAS-Prompt': 9,
  'Call-Check': 10,
  'Callback-Administrative': 11,
} as const;

/** RFC 2865 §5.7. */
export const FramedProtocol = { PPP: 1 } as const;

/** RFC 2866 §5.10. */
export const TerminateCause = {
  'User-Request': 1,
  'Lost-Carrier': 2,
  'Lost-Service': 3,
  'Idle-Timeout': 4,
  'Session-Timeout': 5,
  'Admin-Reset': 6,
  'Admin-Reboot': 7,
  'Port-Error': 8,
  'NAS-Error': 9,
  'NAS-Request': 10,
  'NAS-Reboot': 11,
  'Port-Unneeded': 12,
  'Port-Preempted': 13,
  'Port-Suspended': 14,
  'Service-Unavailable': 15,
  Callback: 16,
  'User-Error': 17,
  'Host-Request': 18,
} as const;

/** RFC 2865 §5.41; a RouterOS hotspot says Wireless-802.11 unless its profile says otherwise. */
export const NasPortType = {
  Async: 0,
  Virtual: 5,
  Ethernet: 15,
  xDSL: 16,
  Cable: 17,
  'Wireless-Other': 18,
  'Wireless-802.11': 19,
} as const;

/** RFC 5176 §3.5. */
export const ErrorCause = {
  'Residual-Session-Context-Removed': 201,
  'Invalid-EAP-Packet': 202,
  'Unsupported-Attribute': 401,
  'Missing-Attribute': 402,
  'NAS-Identification-Mismatch': 403,
  'Invalid-Request': 404,
  'Unsupported-Service': 405,
  'Unsupported-Extension': 406,
  'Invalid-Attribute-Value': 407,
  'Administratively-Prohibited': 501,
  'Request-Not-Routable': 502,
  'Session-Context-Not-Found': 503,
  'Session-Context-Not-Removable': 504,
  'Other-Proxy-Processing-Error': 505,
  'Resources-Unavailable': 506,
  'Request-Initiated': 507,
  'Multiple-Session-Selection-Unsupported': 508,
} as const;

/** The name of a number in one of the enumerations above; undefined when it has none. */
export function valueName(enumeration: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.keys(enumeration).find((name) => enumeration[name] === value);
}
