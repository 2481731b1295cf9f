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

export interface Live {
  publish: Listener;
  /** Returns the way to stop listening. */
  subscribe(listener: Listener): () => void;
}

export function createLive(): Live {
  const listeners = new Set<Listener>();
  return {
    publish(kind, event) {
      for (const listener of listeners) listener(kind, event);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
