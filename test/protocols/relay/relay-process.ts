// A relay as a process of its own, for tests that pull its plug: folder and port as arguments.
import { createRelayServer } from '../../../src/simulators/relay/server.ts';
import { TOKEN } from './bench.ts';

const [folder = '', port = '0'] = process.argv.slice(2);
const relay = createRelayServer({
  folder,
  boxes: [{ box: 'kiosk', token: TOKEN }],
  listen: { host: '127.0.0.1', port: Number(port) },
});
const { baseUrl } = await relay.start();
process.stdout.write(`${baseUrl}\n`);
