// The last sign-ins, in memory: a guessing phone must not be able to fill the disk.

export interface SignIn {
  at: number;
  username: string;
  mac: string;
  router_id: string;
  router_name: string;
  result: 'accept' | 'reject';
  reason: string;
  message: string;
}

export interface SignInLog {
  add(entry: SignIn): void;
  /** Newest first. */
  list(): SignIn[];
}

export function createSignInLog(capacity = 200): SignInLog {
  const entries: SignIn[] = [];
  return {
    add(entry) {
      entries.push(entry);
      if (entries.length > capacity * 2) entries.splice(0, entries.length - capacity);
    },
    list: () => entries.slice(-capacity).reverse(),
  };
}
