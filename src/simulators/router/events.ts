// What a simulated router tells about itself while it runs.

export type RouterEvent =
  | { type: 'access_sent'; at: number; user: string; mac: string; method: 'chap' | 'pap' }
  | { type: 'access_accepted'; at: number; user: string; mac: string }
  | { type: 'access_rejected'; at: number; user: string; mac: string; message: string }
  | { type: 'access_timeout'; at: number; user: string; mac: string }
  | { type: 'bad_reply'; at: number }
  | { type: 'session_started'; at: number; user: string; mac: string; sessionId: string }
  | { type: 'session_changed'; at: number; user: string; mac: string; sessionId: string }
  | { type: 'session_stopped'; at: number; user: string; mac: string; sessionId: string; cause: number }
  | { type: 'session_vanished'; at: number; user: string; mac: string; sessionId: string }
  | { type: 'accounting_sent'; at: number; status: AccountingStatus; sessionId: string }
  | { type: 'accounting_answered'; at: number; status: AccountingStatus; sessionId: string }
  | { type: 'accounting_timeout'; at: number; status: AccountingStatus; sessionId: string }
  | { type: 'disconnect_received'; at: number; outcome: 'ack' | 'nak' | 'silence' }
  | { type: 'coa_received'; at: number; outcome: 'ack' | 'nak' | 'silence' };

export type AccountingStatus = 'Start' | 'Interim-Update' | 'Stop';

export type RouterListener = (event: RouterEvent) => void;

export interface Events {
  emit(event: RouterEvent): void;
  /** Calls `listener` for every event from now on; the answer stops that. */
  listen(listener: RouterListener): () => void;
}

export function createEvents(): Events {
  const listeners = new Set<RouterListener>();
  return {
    emit(event) {
      for (const listener of [...listeners]) listener(event);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
