// `/radius incoming` of a simulated router: Disconnect and CoA.
import { attribute, getAddress, getString } from '../../protocols/radius/attributes.ts';
import { ErrorCause, TerminateCause } from '../../protocols/radius/dictionary.ts';
import {
  Code,
  decodePacket,
  encodeReply,
  type Packet,
  verifyMessageAuthenticator,
  verifyRequestAuthenticator,
} from '../../protocols/radius/packet.ts';
import { openUdp, type UdpSocket } from '../../protocols/radius/udp.ts';
import type { Events } from './events.ts';
import type { Nas, NasSettings, Session } from './nas.ts';

/** Starts listening; packets from any address but the RADIUS server's, or with another secret, get silence. */
export function listenIncoming(
  where: { host: string; port: number },
  settings: NasSettings,
  nas: Nas,
  events: Events,
  now: () => number,
): Promise<UdpSocket> {
  const opened = openUdp({
    ...where,
    onMessage(datagram, address, port) {
      const packet = decodePacket(datagram);
      if (!packet) return;
      if (packet.code !== Code.DisconnectRequest && packet.code !== Code.CoaRequest) return;
      const secret = Buffer.from(settings.radius.secret, 'utf8');
      const type = packet.code === Code.DisconnectRequest ? 'disconnect_received' : 'coa_received';
      if (address !== settings.radius.host || !isSigned(packet, secret)) {
        events.emit({ type, at: now(), outcome: 'silence' });
        return;
      }
      const session = findSession(nas, packet);
      const disconnect = packet.code === Code.DisconnectRequest;
      const code = session
        ? disconnect
          ? Code.DisconnectAck
          : Code.CoaAck
        : disconnect
          ? Code.DisconnectNak
          : Code.CoaNak;
      const attributes = session ? [] : [attribute('Error-Cause', ErrorCause['Session-Context-Not-Found'])];
      events.emit({ type, at: now(), outcome: session ? 'ack' : 'nak' });
      if (session && disconnect) nas.stopSession(session, TerminateCause['Admin-Reset']);
      else if (session) nas.changeSession(session, packet);
      opened.then((socket) => socket.send(encodeReply({ code, attributes }, packet, secret), address, port));
    },
    // A reply that the system refused to send is a reply that got lost.
    onError: () => events.emit({ type: 'bad_reply', at: now() }),
  });
  return opened;
}

function isSigned(packet: Packet, secret: Buffer): boolean {
  if (!verifyRequestAuthenticator(packet, secret)) return false;
  return packet.messageAuthenticatorAt === 0 || verifyMessageAuthenticator(packet, secret);
}

/** A hotspot wants User-Name and Framed-IP-Address, as several users of it found out; an Acct-Session-Id must fit too. */
function findSession(nas: Nas, packet: Packet): Session | undefined {
  const user = getString(packet, 'User-Name');
  const ip = getAddress(packet, 'Framed-IP-Address');
  const id = getString(packet, 'Acct-Session-Id');
  if (user === undefined || ip === undefined) return undefined;
  return nas
    .sessions()
    .find(
      (session) =>
        session.user === user && session.phone.ip === ip && (id === undefined || session.id === id),
    );
}
