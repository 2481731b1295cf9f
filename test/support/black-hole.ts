// A way to a TCP server on loopback that can swallow what is sent on it without a word, as a pulled cable does.
import net from 'node:net';

export interface BlackHole {
  port: number;
  /** From now on nothing passes on any connection, new ones too, and none is closed. */
  swallow(): void;
  /** Swallows only what the server answers: what was asked of it is done, and nobody hears. */
  swallowAnswers(): void;
  /** The same from the next statement on that ends with these words: it is done, and nobody hears of it. */
  swallowAnswersTo(words: string): void;
  /** What comes from now on passes on new connections; on those there were, nothing ever does again. */
  reopen(): void;
  /** How many connections were opened so far. */
  attempts(): number;
  close(): Promise<void>;
}

/** Opens a way to 127.0.0.1:`to`. */
export async function openBlackHole(to: number): Promise<BlackHole> {
  const sockets = new Set<net.Socket>();
  let asks = true;
  let answers = true;
  /** Connections of an earlier one have nothing to say. */
  let age = 0;
  let attempts = 0;
  let awaited: string | undefined;

  function keep(socket: net.Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  const server = net.createServer({ allowHalfOpen: true }, (guest) => {
    keep(guest);
    attempts += 1;
    const born = age;
    const alive = () => born === age;
    if (!asks) return void guest.resume();
    const host = net.connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
    keep(host);
    guest.on('data', (data) => {
      if (awaited !== undefined && alive() && data.includes(`${awaited}\0`)) {
        answers = false;
        awaited = undefined;
      }
      if (alive() && asks) host.write(data);
    });
    guest.on('end', () => alive() && asks && host.end());
    guest.on('close', () => alive() && asks && host.destroy());
    host.on('data', (data) => alive() && answers && guest.write(data));
    host.on('end', () => alive() && answers && guest.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    swallow() {
      asks = false;
      answers = false;
    },
    swallowAnswers() {
      answers = false;
    },
    swallowAnswersTo(words) {
      awaited = words;
    },
    reopen() {
      awaited = undefined;
      age += 1;
      asks = true;
      answers = true;
    },
    attempts: () => attempts,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
