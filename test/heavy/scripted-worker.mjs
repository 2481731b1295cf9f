// A worker that does as its input says: answers, keeps silent, or dies.
import { parentPort, threadId } from 'node:worker_threads';

parentPort.on('message', (message) => {
  if (message.end) process.exit(0);
  const { id, input } = message;
  if (input.batch_id === 'die') process.exit(3);
  if (input.batch_id === 'throw') throw new Error('a fault outside every function');
  if (input.batch_id === 'echo') parentPort.postMessage({ id, output: `thread ${threadId}` });
});
