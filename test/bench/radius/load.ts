// Sends RADIUS requests with a fixed number in flight, and measures the answers.
import { createSocket, type Socket } from 'node:dgram';
import { decodePacket, verifyReply } from '../../../src/protocols/radius/packet.ts';

const RETRY_MS = 1000;
/** Sockets that take turns when the requests begin anew: from another port they are no retransmissions. */
const SOCKETS = 24;
/** Of so many replies one is verified in full. */
const VERIFY_EACH = 101;

export interface LoadResult {
  /** Answers by packet code. */
  codes: Record<number, number>;
  answered: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Requests sent again because no answer came within a second. */
  retried: number;
  /** Verified replies that did not fit their request or were not signed with the secret. */
  forged: number;
}

export interface Load {
  port: number;
  /** One list for each request in flight, at most 256; list n has requests with identifier n. */
  lanes: Buffer[][];
  seconds: number;
  secret: Buffer;
  /** Whether a lane begins again at its end; otherwise the measurement ends there. */
  again: boolean;
  /** An echo answers with the request itself: nothing to verify. */
  echo?: boolean;
}

/** Runs until the seconds are over or a lane that may not begin again is at its end. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const { lanes, port, secret } = load;
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, open));
  const at = lanes.map(() => -1);
  const sentAt = lanes.map(() => 0);
  const latencies: number[] = [];
  const codes: Record<number, number> = {};
  let retried = 0;
  let forged = 0;
  let over = false;
  let inFlight = 0;
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  const requestOf = (lane: number) => lanes[lane]?.[(at[lane] as number) % lanes[lane].length] as Buffer;
  const socketOf = (lane: number) =>
    sockets[Math.floor((at[lane] as number) / (lanes[lane] as Buffer[]).length) % SOCKETS] as Socket;
  const send = (lane: number) => {
    inFlight++;
    sentAt[lane] = performance.now();
    socketOf(lane).send(requestOf(lane), port, '127.0.0.1');
  };
  const next = (lane: number) => {
    at[lane] = (at[lane] as number) + 1;
    if (load.again || (at[lane] as number) < (lanes[lane] as Buffer[]).length) send(lane);
    else end();
  };
  for (const socket of sockets) {
    socket.on('message', (reply) => {
      const lane = reply[1] as number;
      inFlight--;
      // An answer that comes after its request was sent again and answered.
      if (over || sentAt[lane] === 0 || socketOf(lane) !== socket) return;
      latencies.push(performance.now() - (sentAt[lane] as number));
      codes[reply[0] as number] = (codes[reply[0] as number] ?? 0) + 1;
      if (!load.echo && latencies.length % VERIFY_EACH === 0) {
        const request = decodePacket(requestOf(lane));
        if (!request || !verifyReply(reply, request, secret)) forged++;
      }
      next(lane);
    });
  }
  const watch = setInterval(() => {
    const late = performance.now() - RETRY_MS;
    for (let lane = 0; lane < lanes.length; lane++) {
      if ((sentAt[lane] as number) > late) continue;
      retried++;
      send(lane);
    }
  }, 100);

  const started = performance.now();
  for (let lane = 0; lane < lanes.length; lane++) next(lane);
  const timer = setTimeout(end, load.seconds * 1000);
  await ended;
  over = true;
  const elapsed = (performance.now() - started) / 1000;
  clearTimeout(timer);
  clearInterval(watch);
  // An answer to a closed port would come back to the server as an error of its own.
  for (let waited = 0; inFlight > 0 && waited < 500; waited += 10) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const socket of sockets) socket.close();
  latencies.sort((a, b) => a - b);
  const share = (part: number) => latencies[Math.floor((latencies.length - 1) * part)] ?? Number.NaN;
  return {
    codes,
    answered: latencies.length,
    perSecond: latencies.length / elapsed,
    p50Ms: share(0.5),
    p99Ms: share(0.99),
    retried,
    forged,
  };
}

/** A socket that sends to loopback and holds the answers of a busy moment. */
export async function open(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}
