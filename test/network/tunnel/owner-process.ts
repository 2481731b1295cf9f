// A box as a process of its own, for a test that pulls its plug: keeps a cloudflared running and prints its process id.
import { cloudflaredCall } from '../../../src/network/tunnel/programs.ts';
import { supervise } from '../../../src/network/tunnel/supervise.ts';

const [owner = '', programs = '', home = ''] = process.argv.slice(2);
const settings = { cloudflared_token: null } as Parameters<typeof cloudflaredCall>[0];
const tunnel = supervise({
  call: cloudflaredCall(settings, 9),
  environment: { PATH: `${programs}:${process.env.PATH}`, HOME: home },
  owner,
  reach: async () => ({ ok: false, problem: '', hint: '' }),
  now: Date.now,
  monotonic: () => performance.now(),
  warn: () => undefined,
});
const timer = setInterval(() => {
  const { pid, url } = tunnel.state();
  if (pid === null || url === null) return;
  clearInterval(timer);
  process.stdout.write(`${pid}\n`);
}, 10);
