// Tells open admin pages what just happened.

export interface LiveEvents {
  session: {
    id: string;
    state: string;
    username: string;
    upload_octets: number;
    download_octets: number;
    session_seconds: number;
    updated_at: number;
  };
  payment: { id: string; amount_cents: number; receipt: string | null; received_at: number };
  batch: { id: string; made: number; count: number; state: string };
}
export type LiveKind = keyof LiveEvents;
export type Listener = <K extends LiveKind>(kind: K, event: LiveEvents[K]) => void;

/** One happening, as another node is told of it. */
export type LiveMessage = { [K in LiveKind]: { kind: K; event: LiveEvents[K] } }[LiveKind];

export interface Live {
  publish: Listener;
  /** Passes on what another node told. */
  relay(message: LiveMessage): void;
  /** Returns the way to stop listening. */
  subscribe(listener: Listener): () => void;
}

/** `tellOthers` has the pages open at other nodes hear of it as well. */
export function createLive(tellOthers: (message: LiveMessage) => void = () => {}): Live {
  const listeners = new Set<Listener>();
  return {
    publish(kind, event) {
      for (const listener of listeners) listener(kind, event);
      tellOthers({ kind, event } as LiveMessage);
    },
    relay({ kind, event }) {
      for (const listener of listeners) listener(kind, event as LiveEvents[typeof kind]);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
