// What the RADIUS tests share: vectors from files, seeded chance, a peer on a bare socket.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Attribute, decodePacket, type Packet } from '../../../src/protocols/radius/packet.ts';
import { openUdp } from '../../../src/protocols/radius/udp.ts';

const folder = join(import.meta.dirname, '../../vectors/radius');

/** The hex lines of a vector file, comments left out. */
export function vectorLines(name: string): Buffer[] {
  return readFileSync(join(folder, `${name}.txt`), 'utf8')
    .split('\n')
    .filter((line) => line.trim() && !line.startsWith('#'))
    .map((line) => Buffer.from(line.replaceAll(' ', ''), 'hex'));
}

export function vector(name: string): Buffer {
  return Buffer.concat(vectorLines(name));
}

export function read(bytes: Buffer): Packet {
  const packet = decodePacket(bytes);
  if (!packet) throw new Error('The packet of the test is malformed');
  return packet;
}

/** Attributes as plain values, to compare with. */
export function plain(attributes: readonly Attribute[]): Attribute[] {
  return attributes.map(({ type, vendor, value }) => ({ type, vendor, value }));
}

export interface Chance {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number;
  octets(length: number): Buffer;
  pick<T>(from: readonly T[]): T;
}

/** The same sequence for the same seed (mulberry32). */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x100000000;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    octets: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    pick: (from) => from[below(from.length)]!,
  };
}

/** Changes some octets, or cuts, or lengthens. Now and then nothing is changed. */
export function mutate(bytes: Buffer, by: Chance): Buffer {
  const copy = Buffer.from(bytes);
  switch (by.below(4)) {
    case 0:
      return copy.subarray(0, by.below(copy.length + 1));
    case 1:
      return Buffer.concat([copy, by.octets(by.below(8))]);
    default:
      for (let times = by.below(4); times >= 0; times--) copy[by.below(copy.length)] = by.below(256);
      return copy;
  }
}

export interface Peer {
  port: number;
  received: Buffer[];
  send(datagram: Buffer, port: number): void;
  close(): Promise<void>;
}

/** What a peer does with a datagram, the `count`th it got, from that port. */
export type PeerBehaviour = (
  datagram: Buffer,
  answer: (reply: Buffer) => void,
  count: number,
  from: number,
) => void;

/** A socket on 127.0.0.1 that keeps what it gets, and may answer. */
export async function openPeer(behaviour?: PeerBehaviour): Promise<Peer> {
  const received: Buffer[] = [];
  const socket = await openUdp({
    host: '127.0.0.1',
    port: 0,
    onMessage: (datagram, address, port) => {
      received.push(datagram);
      behaviour?.(datagram, (reply) => socket.send(reply, address, port), received.length, port);
    },
    onError: (error) => {
      throw error;
    },
  });
  return {
    port: socket.port,
    received,
    send: (datagram, port) => socket.send(datagram, '127.0.0.1', port),
    close: () => socket.close(),
  };
}
