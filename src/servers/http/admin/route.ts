// How an admin API route is described, so that it is validated, authorized and documented from one place.
import type { Context } from 'hono';
import * as z from 'zod';
import type { PageRequest } from '../../../db/page.ts';
import { MAX_LIMIT } from '../../../db/page.ts';
import { AppError } from '../../../errors.ts';
import type { Account, Role } from '../../../operators/accounts.ts';
import type { Actor } from '../../../operators/audit.ts';
import type { HttpContext, HttpEnv } from '../context.ts';

export type HonoEnv = { Bindings: HttpEnv; Variables: { account: Account; token: string } };

/** Who may call a route: anybody, anybody signed in, or these roles. */
export type Access = 'anyone' | 'signed_in' | readonly Role[];

export const OWNER: Access = ['owner'];
export const MANAGERS: Access = ['owner', 'admin'];
export const SUPPORT: Access = ['owner', 'admin', 'support'];
export const SELLERS: Access = ['owner', 'admin', 'cashier', 'reseller'];
export const STAFF: Access = ['owner', 'admin', 'cashier', 'support'];

export interface RouteInput<Q, B> {
  ctx: HttpContext;
  c: Context<HonoEnv>;
  /** Who acts, for the audit. */
  actor: Actor;
  /** The path's parameters. */
  params: Record<string, string>;
  query: Q;
  body: B;
  now: number;
}

export interface Route {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** OpenAPI style, `/plans/{id}`. */
  path: string;
  tag: string;
  summary: string;
  access: Access;
  status: 200 | 201 | 204;
  /** Every parameter there is: any other is refused. */
  query: z.ZodObject | undefined;
  body: z.ZodType | undefined;
  answer: z.ZodType | undefined;
  /** Set when the answer is not JSON. */
  produces: string | undefined;
  /** The media type of a file that may come in place of JSON with `text`. */
  takes: string | undefined;
  /** Where a body may be larger than others. */
  max_octets: number | undefined;
  handle(input: RouteInput<never, never>): Promise<unknown>;
}

interface RouteDefinition<Q extends z.ZodObject, B extends z.ZodType> {
  method: Route['method'];
  path: string;
  summary: string;
  access: Access;
  status?: Route['status'];
  query?: Q;
  body?: B;
  answer?: z.ZodType;
  produces?: string;
  takes?: string;
  max_octets?: number;
  handle(input: RouteInput<z.infer<Q>, z.infer<B>>): Promise<unknown>;
}

/** Describes a route; the collection it belongs to is the first part of its path. */
export function route<Q extends z.ZodObject, B extends z.ZodType>(definition: RouteDefinition<Q, B>): Route {
  const tag = definition.path.split('/')[1] ?? '';
  const { query, body, answer, produces, takes, max_octets, status = 200 } = definition;
  return {
    ...definition,
    tag,
    status,
    query,
    body,
    answer,
    produces,
    takes,
    max_octets,
    handle: definition.handle as Route['handle'],
  };
}

/** The part of a list that is wanted. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).optional().describe('How many, 50 when absent'),
  cursor: z.string().max(100).optional().describe('The `next` of the answer before'),
});

/** The same of a list that can be searched. */
export const searchQuery = pageQuery.extend({
  q: z.string().trim().max(100).optional().describe('Search text'),
});

/** A filter by the id of something else. An empty one is refused: it would find everything. */
export const idFilter = z.string().min(1, 'Give an id, or leave it out').max(40).optional();

export function pageOf(query: z.infer<typeof pageQuery>): PageRequest {
  return { limit: query.limit, cursor: query.cursor };
}

/** What is wrong in words for whoever filled in the form, where the schema has none of its own. */
function plainWords(issue: z.core.$ZodIssue): string {
  if (!/^(Too (big|small)|Invalid input): expected/.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return issue.expected === 'number' ? 'Write a number' : issue.message;
  if (issue.code !== 'too_big' && issue.code !== 'too_small') return issue.message;
  const bound = issue.code === 'too_big' ? `At most ${issue.maximum}` : `At least ${issue.minimum}`;
  return issue.origin === 'string' ? `${bound} characters` : bound;
}

/** Refuses a query parameter that would be ignored: whoever sent it would believe that it was heeded. */
export function checkQuery(address: string, schema: z.ZodObject | undefined): void {
  const known = Object.keys(schema?.shape ?? {});
  const sent = [...new URL(address).searchParams.keys()];
  const wrong = sent.flatMap((name, at): [string, string][] => {
    if (!known.includes(name)) return [[name, 'There is no such parameter']];
    return sent.indexOf(name) < at ? [[name, 'Give it once']] : [];
  });
  const [first] = wrong;
  if (!first) return;
  throw new AppError('invalid', `${first[0]}: ${first[1]}`, {
    fields: Object.fromEntries(wrong),
    hint: known.length > 0 ? `Known here: ${known.join(', ')}.` : 'No parameter is known here.',
  });
}

/** Checks a value against its schema; `invalid` names each field that is wrong. */
export function parse<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields: Record<string, string> = {};
  for (const issue of result.error.issues) {
    const name = issue.path.join('.') || what;
    fields[name] ??= plainWords(issue);
  }
  const [name, message = ''] = Object.entries(fields)[0] ?? [];
  // Sentences of ours stand alone; the library's need to be told what they are about.
  throw new AppError('invalid', message.endsWith('.') ? message : `${name}: ${message}`, { fields });
}

/** Copies what is there, leaving out what is not: a form's optional fields as a change. */
export function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
