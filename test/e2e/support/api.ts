// Talks to the admin API and to the portal's.

export interface Answer<T> {
  status: number;
  headers: Headers;
  /** The JSON of the body, or its text when it is none. */
  body: T;
}

/** One request; any status is an answer. */
export async function send<T = Record<string, unknown>>(
  method: string,
  url: string,
  {
    body,
    raw,
    headers = {},
  }: { body?: unknown; raw?: string | Uint8Array; headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(url, {
    method,
    headers: { ...(content === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(content === undefined ? {} : { body: content as BodyInit }),
    redirect: 'manual',
  });
  const text = await response.text();
  let parsed: unknown = text;
  if (/json/.test(response.headers.get('content-type') ?? '')) parsed = JSON.parse(text);
  return { status: response.status, headers: response.headers, body: parsed as T };
}

export interface List<T> {
  items: T[];
  next: string | null;
}

export interface Api {
  token: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  put<T>(path: string, body: unknown): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  /** Every item of a list, whatever its length. */
  all<T>(path: string): Promise<T[]>;
  /** Any status is an answer. */
  send<T = Record<string, unknown>>(
    method: string,
    path: string,
    options?: Parameters<typeof send>[2],
  ): Promise<Answer<T>>;
}

/** The admin API with a token; an answer that is no success throws with what it said. */
export function adminApi(admin: string, token: string): Api {
  const authorization = `Bearer ${token}`;
  const url = (path: string) => `http://${admin}/api/v1${path}`;
  const raw: Api['send'] = (method, path, options = {}) =>
    send(method, url(path), { ...options, headers: { authorization, ...options.headers } });
  async function must<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await raw<T>(method, path, body === undefined ? {} : { body });
    if (answer.status >= 300) {
      throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }
  return {
    token,
    send: raw,
    get: (path) => must('GET', path),
    post: (path, body = {}) => must('POST', path, body),
    put: (path, body) => must('PUT', path, body),
    patch: (path, body) => must('PATCH', path, body),
    async all<T>(path: string) {
      const items: T[] = [];
      let cursor: string | null = null;
      do {
        const query = `limit=1000${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
        const page: List<T> = await must('GET', `${path}${path.includes('?') ? '&' : '?'}${query}`);
        items.push(...page.items);
        cursor = page.next;
      } while (cursor);
      return items;
    },
  };
}

export const OWNER = {
  email: 'mama@example.co.ke',
  name: 'Mama Njeri',
  password: 'simba na twiga',
  business_name: 'Mama Njeri WiFi',
};

/** Makes the first account and signs in as it. */
export async function setUpOwner(admin: string): Promise<Api> {
  const answer = await send<{ token: string }>('POST', `http://${admin}/api/v1/auth/setup`, { body: OWNER });
  if (answer.status !== 201) throw new Error(`setup answered ${answer.status}`);
  return adminApi(admin, answer.body.token);
}

/** Signs in as the owner. */
export async function signIn(admin: string): Promise<Api> {
  const { email, password } = OWNER;
  const answer = await send<{ token: string }>('POST', `http://${admin}/api/v1/auth/login`, {
    body: { email, password },
  });
  if (answer.status !== 200)
    throw new Error(`login answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return adminApi(admin, answer.body.token);
}
