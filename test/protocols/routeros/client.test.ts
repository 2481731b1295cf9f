// The API client against a router that says exactly what each test needs.
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ConnectRouterOptions,
  connectRouter,
  legacyLoginResponse,
  type RouterClient,
  RouterOsError,
} from '../../../src/protocols/routeros/client.ts';
import { certificate } from './certificate.ts';
import { type Conversation, type ScriptedRouter, startScriptedRouter } from './scripted-router.ts';

type Answer = Parameters<typeof startScriptedRouter>[0];

let router: ScriptedRouter | undefined;
let client: RouterClient | undefined;

afterEach(async () => {
  client?.close();
  await router?.stop();
  client = undefined;
  router = undefined;
});

/** Accepts every login; the rest is up to `answer`. */
function afterLogin(answer: Answer): Answer {
  return (sentence, conversation) => {
    if (sentence.word === '/login') conversation.reply(sentence, '!done');
    else answer(sentence, conversation);
  };
}

async function connect(
  answer: Answer,
  options: Partial<ConnectRouterOptions> & { serverTls?: boolean } = {},
): Promise<RouterClient> {
  const { serverTls, ...rest } = options;
  router = await startScriptedRouter(answer, { tls: serverTls ?? false });
  client = await connectRouter({
    host: '127.0.0.1',
    port: router.port,
    username: 'karibu',
    password: 'se=cret',
    connectTimeoutMs: 5000,
    commandTimeoutMs: 5000,
    ...rest,
  });
  return client;
}

async function failure(promise: Promise<unknown>): Promise<RouterOsError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RouterOsError)) throw new Error(`not a RouterOsError: ${error}`);
  return error;
}

describe('login', () => {
  test('sends name and password in one sentence', async () => {
    await connect(afterLogin(() => {}));
    expect(router?.heard[0]).toMatchObject({
      word: '/login',
      attributes: { name: 'karibu', password: 'se=cret' },
    });
  });

  test('tells a refused login from everything else', async () => {
    const error = await failure(
      connect((sentence, conversation) => {
        conversation.reply(sentence, '!trap', '=message=invalid user name or password (6)');
        conversation.reply(sentence, '!done');
      }),
    );
    expect(error).toMatchObject({
      code: 'login_refused',
      step: 'login',
      message: 'invalid user name or password (6)',
    });
    expect(JSON.stringify([error, error.stack])).not.toContain('se=cret');
  });

  test('is refused also when the router hangs up after its trap', async () => {
    const error = await failure(
      connect((sentence, { reply, socket }) => {
        reply(sentence, '!trap', '=message=cannot log in');
        socket.end();
      }),
    );
    expect(error).toMatchObject({ code: 'login_refused', message: 'cannot log in' });
  });

  test('does not answer an MD5 challenge unless that is allowed', async () => {
    const challenge = '93b438ec9b80057c06dd9fe67d56aa9a';
    const error = await failure(
      connect((sentence, { reply }) => reply(sentence, '!done', `=ret=${challenge}`)),
    );
    expect(error.code).toBe('login_refused');
    expect(router?.heard).toHaveLength(1);
  });

  test('answers an MD5 challenge when that is allowed', async () => {
    const challenge = '93b438ec9b80057c06dd9fe67d56aa9a';
    await connect(
      (sentence, { reply }) => {
        if (sentence.attributes.response === undefined) reply(sentence, '!done', `=ret=${challenge}`);
        else reply(sentence, '!done');
      },
      { allowLegacyLogin: true, password: '' },
    );
    expect(router?.heard[1]?.attributes).toEqual({
      name: 'karibu',
      response: '00e134102a9d330dd7b1849fedfea3cb57',
    });
    expect(legacyLoginResponse('', challenge)).toBe('00e134102a9d330dd7b1849fedfea3cb57');
  });

  test('times out when the router says nothing', async () => {
    const error = await failure(connect(() => {}, { commandTimeoutMs: 20 }));
    expect(error).toMatchObject({ code: 'timed_out', step: 'login' });
  });
});

describe('connecting', () => {
  test('tells a port that nobody listens on', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(
      connectRouter({
        host: '127.0.0.1',
        port,
        username: 'a',
        password: 'b',
        connectTimeoutMs: 5000,
        commandTimeoutMs: 5000,
      }),
    );
    expect(error).toMatchObject({ code: 'cannot_connect', step: 'connect' });
  });

  test('tells a server that is no RouterOS API', async () => {
    const error = await failure(
      connect((_sentence, { socket }) => socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))),
    );
    expect(error).toMatchObject({ code: 'unexpected_answer', step: 'login' });
  });

  test('tells a connection that ends during login', async () => {
    const error = await failure(connect((_sentence, { socket }) => socket.destroy()));
    expect(error).toMatchObject({ code: 'connection_lost', step: 'login' });
  });
});

describe('TLS', () => {
  const fingerprint = new X509Certificate(certificate).fingerprint256;
  const identity: Answer = afterLogin((sentence, { reply }) => {
    reply(sentence, '!re', '=name=site');
    reply(sentence, '!done');
  });

  test('works with the fingerprint that is known', async () => {
    const opened = await connect(identity, {
      serverTls: true,
      tls: { fingerprint: fingerprint.toLowerCase() },
    });
    expect(await opened.run('/system/identity/print')).toEqual([{ name: 'site' }]);
  });

  test('works without any check when that is asked for', async () => {
    const opened = await connect(identity, { serverTls: true, tls: { rejectUnauthorized: false } });
    expect(await opened.run('/system/identity/print')).toEqual([{ name: 'site' }]);
  });

  test('fails with another fingerprint, before the password is sent', async () => {
    const other = fingerprint.replace(/^../, fingerprint.startsWith('00') ? '01' : '00');
    const error = await failure(connect(identity, { serverTls: true, tls: { fingerprint: other } }));
    expect(error).toMatchObject({ code: 'tls_failed', step: 'tls' });
    expect(router?.heard).toEqual([]);
  });

  test('fails with a certificate that no authority signed', async () => {
    const error = await failure(connect(identity, { serverTls: true, tls: {} }));
    expect(error).toMatchObject({ code: 'tls_failed', step: 'tls' });
    expect(router?.heard).toEqual([]);
  });

  test('fails where no TLS is spoken', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy()).resume();
      socket.end('HTTP/1.1 400 no\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const error = await failure(
      connectRouter({
        host: '127.0.0.1',
        port,
        username: 'a',
        password: 'b',
        tls: { rejectUnauthorized: false },
        connectTimeoutMs: 5000,
        commandTimeoutMs: 5000,
      }),
    );
    await new Promise((resolve) => server.close(resolve));
    expect(error).toMatchObject({ code: 'tls_failed', step: 'tls' });
  });
});

describe('a command', () => {
  test('sends attributes and queries and collects rows', async () => {
    const opened = await connect(
      afterLogin((sentence, { reply }) => {
        reply(sentence, '!re', '=.id=*1', '=comment=a=b', '=empty=');
        reply(sentence, '!re', '=.id=*2');
        reply(sentence, '!done');
      }),
    );
    const rows = await opened.run('/x/print', { '.proplist': '.id,comment', on: true, n: 5 }, [
      '?a=b',
      '?#!',
    ]);
    expect(rows).toEqual([{ '.id': '*1', comment: 'a=b', empty: '' }, { '.id': '*2' }]);
    expect(router?.heard[1]).toMatchObject({
      word: '/x/print',
      attributes: { '.proplist': '.id,comment', on: 'yes', n: '5' },
      others: ['?a=b', '?#!'],
    });
  });

  test('answers nothing to !empty, which 7.18 and later send', async () => {
    const opened = await connect(
      afterLogin((sentence, { reply }) => {
        reply(sentence, '!empty');
        reply(sentence, '!done');
      }),
    );
    expect(await opened.run('/x/print')).toEqual([]);
  });

  test('answers what comes with !done as a last row', async () => {
    const opened = await connect(afterLogin((sentence, { reply }) => reply(sentence, '!done', '=ret=*1F')));
    expect(await opened.run('/x/add')).toEqual([{ ret: '*1F' }]);
  });

  test('throws a trap with its category and leaves the connection usable', async () => {
    const opened = await connect(
      afterLogin((sentence, { reply }) => {
        if (sentence.word === '/no') reply(sentence, '!trap', '=category=0', '=message=no such command');
        reply(sentence, '!done');
      }),
    );
    expect(await failure(opened.run('/no'))).toMatchObject({
      code: 'trap',
      category: 0,
      message: 'no such command',
    });
    expect(await opened.run('/yes')).toEqual([]);
  });

  test('gets its own rows when replies of several are mixed', async () => {
    const waiting: { tag: string; name: string }[] = [];
    const opened = await connect(
      afterLogin((sentence, { say }) => {
        waiting.push({ tag: sentence.api.tag ?? '', name: sentence.word });
        if (waiting.length < 3) return;
        for (const { tag, name } of [...waiting].reverse()) say('!re', `=name=${name}`, `.tag=${tag}`);
        for (const { tag } of waiting) say('!done', `.tag=${tag}`);
      }),
    );
    const rows = await Promise.all(['/a', '/b', '/c'].map((command) => opened.run(command)));
    expect(rows).toEqual([[{ name: '/a' }], [{ name: '/b' }], [{ name: '/c' }]]);
  });

  test('that takes too long is cancelled by its tag, and late replies go nowhere', async () => {
    const opened = await connect(
      afterLogin((sentence, { say, reply }) => {
        if (sentence.word === '/slow') return;
        if (sentence.word === '/cancel') {
          say('!re', '=late=yes', `.tag=${sentence.attributes.tag}`);
          say('!trap', '=category=2', '=message=interrupted', `.tag=${sentence.attributes.tag}`);
          say('!done', `.tag=${sentence.attributes.tag}`);
        }
        reply(sentence, '!done');
      }),
    );
    const error = await failure(opened.run('/slow', {}, [], { timeoutMs: 20 }));
    expect(error).toMatchObject({ code: 'timed_out', step: 'command' });
    const cancel = await router!.hears('/cancel');
    expect(cancel.attributes.tag).toBe(router!.heard.find((each) => each.word === '/slow')?.api.tag);
    expect(await opened.run('/next')).toEqual([]);
  });

  test('is refused before anything is sent when it cannot be one', async () => {
    const opened = await connect(afterLogin(() => {}));
    await expect(opened.run('print')).rejects.toThrow(RangeError);
    await expect(opened.run('/print', {}, ['name=x'])).rejects.toThrow(RangeError);
    expect(router?.heard).toHaveLength(1);
  });
});

describe('the end of a connection', () => {
  test('!fatal ends every command with its reason', async () => {
    const opened = await connect(
      afterLogin((sentence, { say }) => {
        if (sentence.word === '/b') say('!fatal', 'session terminated on request');
      }),
    );
    const [a, b] = await Promise.all([failure(opened.run('/a')), failure(opened.run('/b'))]);
    expect(a).toMatchObject({
      code: 'connection_lost',
      message: expect.stringContaining('session terminated'),
    });
    expect(b.code).toBe('connection_lost');
    expect((await opened.closed)?.code).toBe('connection_lost');
    expect((await failure(opened.run('/c'))).code).toBe('connection_lost');
  });

  test('a lost connection ends every command', async () => {
    const opened = await connect(afterLogin((_sentence, { socket }) => socket.destroy()));
    expect((await failure(opened.run('/a'))).code).toBe('connection_lost');
  });

  test('a lost TLS connection ends every command', async () => {
    const opened = await connect(
      afterLogin((_sentence, { socket }) => socket.destroy()),
      { serverTls: true, tls: { rejectUnauthorized: false } },
    );
    expect((await failure(opened.run('/a'))).code).toBe('connection_lost');
    expect((await opened.closed)?.code).toBe('connection_lost');
  });

  test('close() ends what runs and is not a failure itself', async () => {
    const opened = await connect(afterLogin(() => {}));
    const running = failure(opened.run('/a'));
    opened.close();
    expect((await running).code).toBe('connection_lost');
    expect(await opened.closed).toBeUndefined();
  });
});

describe('a stream', () => {
  function listening(): { answer: Answer; emit: (...words: string[]) => void } {
    let listener: { conversation: Conversation; tag: string } | undefined;
    return {
      emit(...words) {
        listener?.conversation.say('!re', ...words, `.tag=${listener.tag}`);
      },
      answer: afterLogin((sentence, conversation) => {
        if (sentence.word === '/x/listen') {
          listener = { conversation, tag: sentence.api.tag ?? '' };
          return;
        }
        if (sentence.word === '/cancel') {
          conversation.say('!trap', '=category=2', '=message=interrupted', `.tag=${sentence.attributes.tag}`);
          conversation.say('!done', `.tag=${sentence.attributes.tag}`);
        }
        conversation.reply(sentence, '!done');
      }),
    };
  }

  test('hands over rows until it is cancelled', async () => {
    const { answer, emit } = listening();
    const opened = await connect(answer);
    const rows: unknown[] = [];
    let seen = () => {};
    const two = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const stream = opened.stream('/x/listen', (row) => {
      rows.push(row);
      if (rows.length === 2) seen();
    });
    await router!.hears('/x/listen');
    emit('=.id=*1', '=user=a');
    emit('=.id=*1', '=.dead=yes');
    await two;
    await stream.cancel();
    expect(rows).toEqual([
      { '.id': '*1', user: 'a' },
      { '.id': '*1', '.dead': 'yes' },
    ]);
    expect(await stream.ended).toBeUndefined();
    expect(await opened.run('/still/there')).toEqual([]);
  });

  test('ends with the error that ended it', async () => {
    const opened = await connect(
      afterLogin((sentence, { reply }) => {
        reply(sentence, '!trap', '=message=no such command prefix');
        reply(sentence, '!done');
      }),
    );
    const ended = await opened.stream('/x/listen', () => {}).ended;
    expect(ended).toMatchObject({ code: 'trap', message: 'no such command prefix' });
  });

  test('ends when its reader throws, and other commands go on', async () => {
    const { answer, emit } = listening();
    const opened = await connect(answer);
    const stream = opened.stream('/x/listen', () => {
      throw new Error('reader broke');
    });
    await router!.hears('/x/listen');
    emit('=.id=*1');
    expect((await stream.ended)?.message).toBe('reader broke');
    expect(await opened.run('/still/there')).toEqual([]);
  });
});
