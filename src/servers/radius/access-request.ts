// Answers Access-Requests.
import { authorize, type Decision, REJECT_MESSAGES, type RejectReason } from '../../access/authorize.ts';
import { currentDeviceAccess, currentSharedAccess, hasFreePlace } from '../../access/device-access.ts';
import { type AccessRecord, currentAccess, startEntitlement } from '../../access/entitlements.ts';
import { devicesBeside, replaceOldestDevices } from '../../access/places.ts';
import { closeSilentSessions, openSessions, type Session } from '../../access/sessions.ts';
import { findVoucher, redeemVoucher } from '../../access/vouchers.ts';
import { normalizeCode } from '../../lib/codes.ts';
import { normalizeMac } from '../../lib/mac.ts';
import { closeWhatIsGone } from '../../network/absent-sessions.ts';
import { getString } from '../../protocols/radius/attributes.ts';
import { msChapError } from '../../protocols/radius/mschap.ts';
import type { Attribute, Packet } from '../../protocols/radius/packet.ts';
import { passwordMethod } from '../../protocols/radius/passwords.ts';
import type { Reply } from '../../protocols/radius/server.ts';
import { type CallingStation, callingStation } from './calling-station.ts';
import type { Nas, RadiusContext } from './context.ts';
import type { Lockout } from './lockout.ts';
import { type Proof, provePassword } from './proof.ts';
import { acceptReply, rejectReply } from './reply.ts';
import { newSessionReference } from './session-class.ts';

/** An Access-Request under consideration. */
interface Asked extends CallingStation {
  request: Packet;
  nas: Nas;
  /** The user name as it was typed. */
  typed: string;
  now: number;
  clockTrusted: boolean;
}

/**
 * A voucher is its own password; people leave the field empty or repeat the code as they typed it. An empty
 * User-Password may also be left out altogether: FreeRADIUS's radclient does, since an attribute without octets is not
 * to be sent (RFC 2865 §5).
 */
function proveVoucher({ request, nas, typed }: Asked, code: string): Proof {
  if (passwordMethod(request) === 'none') return { proved: true, reply: [] };
  return provePassword(request, nas.secret, [code, '', typed, code.toLowerCase()]);
}

function proveAccess(context: RadiusContext, asked: Asked, access: AccessRecord): Proof {
  if (access.credential_kind === 'voucher') {
    const proof = proveVoucher(asked, access.username);
    if (proof.proved) return proof;
  }
  return provePassword(asked.request, asked.nas.secret, [context.vault.open(access.password_sealed)]);
}

/** Finds access as it is when all that was acknowledged of its sessions counts. */
async function upToDate(
  { accounting }: RadiusContext,
  find: () => Promise<AccessRecord | undefined>,
): Promise<AccessRecord | undefined> {
  for (;;) {
    const access = await find();
    const behind = access && accounting?.catchUp(access);
    if (!behind || !(await behind)) return access;
  }
}

/** Whether a user name is the MAC address of the device that asks, in any spelling of `radius-mac-format`. */
function isDevice(typed: string, mac: string): boolean {
  return mac !== '' && normalizeMac(typed) === mac;
}

/** `decision`: where one was needed to tell who asks. */
type Identity = { access: AccessRecord; reply: Attribute[]; decision?: Decision } | RejectReason;

/**
 * A hotspot with `login-by=mac` tries each device that appears: the user name is its MAC address, the password empty,
 * the address again or a text of the router's profile (routeros.md §1.2, §2.2). None of these is a secret, so none is
 * looked at: the router's own secret vouches for which device asks.
 */
async function identifyDevice(context: RadiusContext, asked: Asked): Promise<Identity> {
  const { request, nas, mac, now, clockTrusted } = asked;
  const method = passwordMethod(request);
  if (method === 'mschap1' || method === 'mschap2') return 'unsupported_method';
  const decide = (access: AccessRecord) => authorize(access, now, clockTrusted, nas.id);
  const find = (which: typeof currentDeviceAccess, rank: (access: AccessRecord) => number) =>
    which(context.db, mac, now, clockTrusted, {
      rank,
      wasBehind: async (access) => (await context.accounting?.catchUp(access)) ?? false,
    });
  const own = await find(currentDeviceAccess, (access) => {
    const decision = decide(access);
    return decision.accept ? 0 : isFull(decision) ? 1 : 2;
  });
  const first = own && (await decideOnPlace(context, asked, own));
  if (first?.decision.accept) return { ...first, reply: [] };
  // No person knocks here: the plan's other devices, and its dead sessions, are left alone for the sake of it.
  const rank = (access: AccessRecord) => (!hasFreePlace(access) ? 2 : decide(access).accept ? 0 : 1);
  const shared = await find(currentSharedAccess, rank);
  if (shared && rank(shared) < (own ? 1 : 2)) return { access: shared, reply: [] };
  return first ? { ...first, reply: [] } : 'no_entitlement';
}

/** Who asks: a known credential, or the code of an unused voucher, which this first use redeems. */
async function identify(context: RadiusContext, asked: Asked): Promise<Identity> {
  const { request, nas, typed, mac, device, now, clockTrusted } = asked;
  if (passwordMethod(request) === 'eap') return 'unsupported_method';
  if (nas.macLogin && isDevice(typed, mac)) return identifyDevice(context, asked);
  const { db, vault } = context;
  const find = (name: string) => upToDate(context, () => currentAccess(db, name, device, now, clockTrusted));
  const findCode = async (code: string) => (code !== typed && code !== '' ? find(code) : undefined);
  const known = (await find(typed)) ?? (await findCode(normalizeCode(typed)));
  if (known) {
    const proof = proveAccess(context, asked, known);
    return proof.proved ? { access: known, reply: proof.reply } : 'bad_password';
  }

  const code = normalizeCode(typed);
  const voucher = await findVoucher(db, vault, code);
  if (!voucher) return 'unknown_user';
  const proof = proveVoucher(asked, code);
  if (!proof.proved) return 'bad_password';
  if (voucher.state === 'cancelled') return 'disabled';
  await redeemVoucher(db, vault, code, mac || null, now);
  const access = await find(code);
  return access ? { access, reply: proof.reply } : 'unknown_user';
}

/**
 * Missed reports after which a session takes no place from a device that asks; a busy link loses one or two. Not the
 * setting `missed_interims` of the job, which an operator with bad links raises: who paid stands at the door here, and
 * a session that lives after all opens again with its next report.
 */
const MISSED = 3;

interface Considered {
  access: AccessRecord;
  decision: Decision;
}

/** Whether the plan has no place for this device unless another one goes. */
function isFull(decision: Decision): boolean {
  return decision.accept ? decision.devices_beside !== undefined : decision.reason === 'too_many_devices';
}

/**
 * The decision once the dead have made room. A guest who paid is not kept out by a dead session: when there are too many
 * devices, those that fell silent (a power cut says no Stop) give way at this moment, before any that lives.
 */
async function decideAgain(
  context: RadiusContext,
  { nas, device, now, clockTrusted }: Asked,
  considered: Considered,
): Promise<Considered> {
  const { db, live } = context;
  const { credential_id, username } = considered.access;
  const silent = await closeSilentSessions(db, credential_id, now - MISSED * context.interimSeconds * 1000);
  const closed = silent.length > 0 ? silent : await askRouters(context, credential_id, device);
  for (const session of closed) live.publish('session', session);
  if (closed.length === 0) return considered;
  const access = await currentAccess(db, username, device, now, clockTrusted);
  return access ? { access, decision: authorize(access, now, clockTrusted, nas.id) } : considered;
}

async function decideOnPlace(
  context: RadiusContext,
  asked: Asked,
  access: AccessRecord,
): Promise<Considered> {
  const { nas, now, clockTrusted } = asked;
  const first = { access, decision: authorize(access, now, clockTrusted, nas.id) };
  // By a clock that may be wrong, nothing is known to be late.
  return isFull(first.decision) && clockTrusted ? decideAgain(context, asked, first) : first;
}

/** Within the 3 s that a router waits for us. A later answer still counts for the next try. */
const ROUTER_ANSWERS_MS = 1500;

/** One question at a time for each credential, however often its guest tries. */
const asking = new Map<string, Promise<Session[]>>();

/** The sessions in this device's way that their routers say they do not have: closed, as far as that is known in time. */
async function askRouters(context: RadiusContext, credentialId: string, device: string): Promise<Session[]> {
  const beside = devicesBeside(await openSessions(context.db, credentialId), device);
  const asked =
    asking.get(credentialId) ??
    closeWhatIsGone(
      context,
      beside.flatMap((device) => device.sessions),
    )
      .catch((error: unknown): Session[] => {
        context.log.warn('closing sessions that are gone failed', { error });
        return [];
      })
      .finally(() => asking.delete(credentialId));
  asking.set(credentialId, asked);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Session[]>((resolve) => {
    timer = setTimeout(resolve, ROUTER_ANSWERS_MS, []);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

/** How late a wrong sign-in is refused where too many were: within the 3 s that our script gives the router. */
const SLOW_REJECT_MS = 2500;

/** Decides one Access-Request. Throws when the store fails: then the NAS gets silence and asks again. */
export async function handleAccessRequest(
  context: RadiusContext,
  lockout: Lockout,
  request: Packet,
  nas: Nas,
): Promise<Reply> {
  // PostgreSQL's text cannot hold NUL; a name with one is nobody's.
  const typed = (getString(request, 'User-Name') ?? '').replaceAll('\0', '\ufffd');
  const { mac, device } = callingStation(request);
  const now = context.clock.now();
  const asked: Asked = { request, nas, typed, mac, device, now, clockTrusted: context.clockTrusted() };
  // A hotspot that tries each new device by its MAC address guesses nothing.
  const guesses = !isDevice(typed, mac);
  const note = (result: 'accept' | 'reject', reason: string, message: string) =>
    context.signIns.add({
      at: now,
      username: typed.slice(0, 64),
      mac: device,
      router_id: nas.id,
      router_name: nas.name,
      result,
      reason,
      message,
    });
  const reject = (reason: RejectReason, message = REJECT_MESSAGES[reason]): Reply => {
    note('reject', reason, message);
    return rejectReply(message, msChapError(request));
  };

  if (guesses && lockout.isLockedOut(nas.id, device)) return reject('locked_out');
  const identity = await identify(context, asked);
  if (typeof identity === 'string') {
    const wrong = guesses && (identity === 'unknown_user' || identity === 'bad_password');
    const slow = wrong && lockout.failed(nas, device);
    return slow ? { ...reject(identity), delayMs: SLOW_REJECT_MS } : reject(identity);
  }
  const considered = identity.decision
    ? { access: identity.access, decision: identity.decision }
    : await decideOnPlace(context, asked, identity.access);
  const { access, decision } = considered;
  if (!decision.accept) return reject(decision.reason, decision.message);
  // By a clock that is behind, an end would be over as soon as the clock is right: until then it goes on waiting.
  if (access.entitlement?.state === 'waiting' && asked.clockTrusted) {
    await startEntitlement(context.db, decision.entitlement_id, now);
  }
  if (decision.devices_beside !== undefined) {
    await replaceOldestDevices(context.db, access.credential_id, device, decision.devices_beside, now);
  }
  note('accept', 'accept', 'Online.');
  const reference = newSessionReference(access.credential_id, decision.entitlement_id, now);
  return acceptReply(decision, reference, context.interimSeconds, identity.reply);
}
