// The API service of a simulated router: connections, login, tags, cancel.
import { createServer, type Server, type Socket } from 'node:net';
import {
  createSentenceDecoder,
  encodeSentence,
  type ReadSentence,
  readSentence,
  SentenceError,
} from '../../protocols/routeros/sentence.ts';
import { matchesQueries } from './queries.ts';

export type ApiRow = Record<string, string>;

/** A `!trap`. */
export class Trap extends Error {
  override name = 'Trap';
  readonly category: number | undefined;

  constructor(message: string, category?: number) {
    super(message);
    this.category = category;
  }
}

export interface ApiCommands {
  /** The rows of a menu by its path (`/ip/hotspot/active`); undefined where there is no such menu. */
  rows(menu: string): ApiRow[] | undefined;
  /** Runs any other command; undefined where there is no such command. Throws Trap. */
  run(command: string, attributes: ApiRow): Promise<ApiRow | undefined> | undefined;
  /** Follows the changes of a menu; undefined where it cannot be followed. The answer stops it. */
  follow(menu: string, onRow: (row: ApiRow) => void): (() => void) | undefined;
}

export interface ApiSettings {
  username: string;
  password: string;
  /** Whether a print without rows is answered with `!empty`, as since 7.18. */
  sendsEmpty: boolean;
  commands: ApiCommands;
}

/** The TCP server of the service; sockets that are open end with `dropConnections`. */
export function createApiServer(settings: ApiSettings): { server: Server; dropConnections(): void } {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, settings);
  });
  return {
    server,
    dropConnections() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function serve(socket: Socket, settings: ApiSettings): void {
  const decoder = createSentenceDecoder();
  const following = new Map<string, () => void>();
  let loggedIn = false;

  function say(words: string[], tag: string | undefined): void {
    if (socket.writable) socket.write(encodeSentence(tag === undefined ? words : [...words, `.tag=${tag}`]));
  }
  function sayRow(word: string, row: ApiRow, tag: string | undefined): void {
    say([word, ...Object.entries(row).map(([name, value]) => `=${name}=${value}`)], tag);
  }
  function sayTrap(trap: Trap, tag: string | undefined): void {
    const category = trap.category === undefined ? [] : [`=category=${trap.category}`];
    say(['!trap', ...category, `=message=${trap.message}`], tag);
  }

  function logIn({ attributes, api }: ReadSentence): void {
    if (attributes.name === settings.username && attributes.password === settings.password) loggedIn = true;
    else sayTrap(new Trap('invalid user name or password (6)'), api.tag);
    say(['!done'], api.tag);
  }

  function cancel(attributes: ApiRow, tag: string | undefined): void {
    for (const [running, stop] of [...following]) {
      if (attributes.tag !== undefined && attributes.tag !== running) continue;
      stop();
      following.delete(running);
      const interrupted = running === '' ? undefined : running;
      sayTrap(new Trap('interrupted', 2), interrupted);
      say(['!done'], interrupted);
    }
    say(['!done'], tag);
  }

  function print(menu: string, sentence: ReadSentence): boolean {
    const rows = settings.commands.rows(menu);
    if (!rows) return false;
    const { tag } = sentence.api;
    const found = rows.filter((row) => matchesQueries(row, sentence.others));
    if (sentence.attributes['count-only'] !== undefined) {
      say(['!done', `=ret=${found.length}`], tag);
      return true;
    }
    for (const row of found) sayRow('!re', pick(row, sentence.attributes['.proplist']), tag);
    if (found.length === 0 && settings.sendsEmpty) say(['!empty'], tag);
    say(['!done'], tag);
    return true;
  }

  async function execute(sentence: ReadSentence): Promise<void> {
    const { word, attributes, api } = sentence;
    const menu = word.slice(0, word.lastIndexOf('/'));
    const verb = word.slice(word.lastIndexOf('/') + 1);
    if ((verb === 'print' || verb === 'getall') && print(menu, sentence)) return;
    if (verb === 'listen') {
      const stop = settings.commands.follow(menu, (row) => sayRow('!re', row, api.tag));
      if (stop) {
        following.set(api.tag ?? '', stop);
        return;
      }
    }
    try {
      const running = settings.commands.run(word, attributes);
      if (!running) throw new Trap(`no such command or directory (${verb})`, 0);
      const row = await running;
      sayRow('!done', row ?? {}, api.tag);
    } catch (error) {
      if (!(error instanceof Trap)) throw error;
      sayTrap(error, api.tag);
      say(['!done'], api.tag);
    }
  }

  function receive(sentence: ReadSentence): void {
    if (sentence.word === '/login') logIn(sentence);
    else if (!loggedIn) {
      say(['!fatal', 'not logged in'], undefined);
      socket.end();
    } else if (sentence.word === '/cancel') cancel(sentence.attributes, sentence.api.tag);
    else if (sentence.word === '/quit') {
      say(['!fatal', 'session terminated on request'], undefined);
      socket.end();
    } else execute(sentence).catch((error: unknown) => socket.destroy(error as Error));
  }

  socket.on('data', (chunk: Buffer) => {
    try {
      for (const words of decoder.push(chunk)) receive(readSentence(words));
    } catch (error) {
      if (!(error instanceof SentenceError)) throw error;
      socket.destroy();
    }
  });
  // The peer went away; 'close' follows.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    for (const stop of following.values()) stop();
    following.clear();
  });
}

function pick(row: ApiRow, proplist: string | undefined): ApiRow {
  if (proplist === undefined) return row;
  const wanted = proplist.split(',');
  return Object.fromEntries(Object.entries(row).filter(([name]) => wanted.includes(name)));
}
