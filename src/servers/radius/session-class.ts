// The Class attribute: our reference to a session, which the NAS brings back in accounting (RFC 2865 §5.25).
import type { SessionReference } from '../../access/accounting.ts';
import { isId, newId } from '../../lib/ids.ts';

export function newSessionReference(
  credentialId: string,
  entitlementId: string,
  now: number,
): SessionReference {
  return { credential_id: credentialId, entitlement_id: entitlementId, accept_id: newId(now) };
}

export function writeClass(reference: SessionReference): string {
  return `k1/${reference.credential_id}/${reference.entitlement_id}/${reference.accept_id}`;
}

/** The reference in a Class; undefined for another server's. */
export function readClass(text: string | undefined): SessionReference | undefined {
  const [version, credentialId, entitlementId, acceptId, ...rest] = text?.split('/') ?? [];
  if (version !== 'k1' || !credentialId || !entitlementId || !acceptId || rest.length > 0) return undefined;
  if (!isId(credentialId) || !isId(entitlementId)) return undefined;
  return { credential_id: credentialId, entitlement_id: entitlementId, accept_id: acceptId };
}
