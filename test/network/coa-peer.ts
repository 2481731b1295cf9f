// The CoA door of a router over a real socket: says yes or no, and keeps what was asked.
import { Code, decodePacket, encodeReply, type Packet } from '../../src/protocols/radius/packet.ts';
import { openUdp } from '../../src/protocols/radius/udp.ts';

const KEY = Buffer.from('radius-secret');

export interface CoaPeer {
  port: number;
  asked: Packet[];
  /** Whether it agrees with the next ones, or with this one. */
  agrees: boolean | ((asked: Packet) => boolean);
  /** Whether it answers at all. */
  answers: boolean;
  close(): Promise<void>;
}

export async function openCoaPeer(key = KEY): Promise<CoaPeer> {
  const asked: Packet[] = [];
  const socket = await openUdp({
    host: '127.0.0.1',
    port: 0,
    onError(error) {
      throw error;
    },
    onMessage(datagram, address, port) {
      const packet = decodePacket(datagram);
      if (!packet) return;
      asked.push(packet);
      if (!peer.answers) return;
      const changes = packet.code === Code.CoaRequest;
      const yes = changes ? Code.CoaAck : Code.DisconnectAck;
      const no = changes ? Code.CoaNak : Code.DisconnectNak;
      const agrees = typeof peer.agrees === 'function' ? peer.agrees(packet) : peer.agrees;
      const reply = { code: agrees ? yes : no, attributes: [] };
      socket.send(encodeReply(reply, packet, key), address, port);
    },
  });
  const peer: CoaPeer = {
    port: socket.port,
    asked,
    agrees: true,
    answers: true,
    close: () => socket.close(),
  };
  return peer;
}
