// What the server tells by itself: one event stream for the whole admin page.
import { useEffect, useRef, useState } from 'preact/hooks';

export interface LiveEvents {
  session: {
    id: string;
    state: 'open' | 'closed';
    username: string;
    upload_octets: number;
    download_octets: number;
    session_seconds: number;
    updated_at: number;
  };
  payment: {
    id: string;
    amount_cents: number;
    receipt: string;
    plan_name: string | null;
    received_at: number;
  };
  batch: { id: string; made: number; count: number; state: 'making' | 'ready' | 'cancelled' };
  overview: { online_now: number; sales_today_cents: number };
}

type Name = keyof LiveEvents;
const NAMES: Name[] = ['session', 'payment', 'batch', 'overview'];
const RETRY_MS = 4000;

const listeners = new Map<Name, Set<(data: never) => void>>(NAMES.map((name) => [name, new Set()]));
const watchers = new Set<() => void>();
let source: EventSource | undefined;
let connected = false;

function setConnected(now: boolean): void {
  if (connected === now) return;
  connected = now;
  for (const watcher of watchers) watcher();
}

/** Opens the stream; a browser gives up after an HTTP error, so it is opened again after a pause. */
export function startLive(): void {
  if (source) return;
  const stream = new EventSource('/api/v1/events');
  source = stream;
  stream.onopen = () => setConnected(true);
  stream.onerror = () => {
    setConnected(false);
    if (stream.readyState !== EventSource.CLOSED) return;
    window.setTimeout(() => {
      if (source !== stream) return;
      source = undefined;
      startLive();
    }, RETRY_MS);
  };
  for (const name of NAMES) {
    stream.addEventListener(name, (event) => {
      const data = JSON.parse((event as MessageEvent<string>).data) as never;
      for (const listener of listeners.get(name) ?? []) listener(data);
    });
  }
}

export function stopLive(): void {
  source?.close();
  source = undefined;
  setConnected(false);
}

/** Calls `listener` with each event of that name while the page is shown. */
export function useLive<N extends Name>(name: N, listener: (data: LiveEvents[N]) => void): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    const call = (data: LiveEvents[N]) => latest.current(data);
    listeners.get(name)?.add(call as (data: never) => void);
    return () => void listeners.get(name)?.delete(call as (data: never) => void);
  }, [name]);
}

export function useConnected(): boolean {
  const [now, setNow] = useState(connected);
  useEffect(() => {
    const update = () => setNow(connected);
    update();
    watchers.add(update);
    return () => void watchers.delete(update);
  }, []);
  return now;
}
