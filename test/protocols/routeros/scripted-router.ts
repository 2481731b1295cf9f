// A TCP server that answers API sentences as a test says, to show the client what no well-behaved router would.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  createSentenceDecoder,
  encodeSentence,
  type ReadSentence,
  readSentence,
} from '../../../src/protocols/routeros/sentence.ts';
import { certificate, privateKey } from './certificate.ts';

export interface Conversation {
  socket: Socket;
  /** Sends one sentence. */
  say(...words: string[]): void;
  /** Sends one sentence with the tag of `to`. */
  reply(to: ReadSentence, ...words: string[]): void;
}

export interface ScriptedRouter {
  port: number;
  /** Every sentence that came, in order. */
  heard: ReadSentence[];
  /** Resolves once a sentence with this command has come. */
  hears(command: string): Promise<ReadSentence>;
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startScriptedRouter(
  answer: (sentence: ReadSentence, conversation: Conversation) => void,
  options: { tls?: boolean } = {},
): Promise<ScriptedRouter> {
  const heard: ReadSentence[] = [];
  const waiting: { command: string; resolve: (sentence: ReadSentence) => void }[] = [];
  const sockets = new Set<Socket>();

  function serve(socket: Socket): void {
    sockets.add(socket);
    const decoder = createSentenceDecoder();
    const conversation: Conversation = {
      socket,
      say: (...words) => socket.write(encodeSentence(words)),
      reply(to, ...words) {
        socket.write(encodeSentence(to.api.tag === undefined ? words : [...words, `.tag=${to.api.tag}`]));
      },
    };
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      for (const words of decoder.push(chunk)) {
        const sentence = readSentence(words);
        heard.push(sentence);
        for (const each of waiting) if (each.command === sentence.word) each.resolve(sentence);
        answer(sentence, conversation);
      }
    });
  }

  const server = options.tls
    ? createTlsServer({ cert: certificate, key: privateKey }, serve)
    : createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    hears(command) {
      const already = heard.find((sentence) => sentence.word === command);
      if (already) return Promise.resolve(already);
      return new Promise((resolve) => waiting.push({ command, resolve }));
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
