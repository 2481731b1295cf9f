// The OpenAPI document, from the very schemas that validate.
import * as z from 'zod';
import { version } from '../../../version.ts';
import type { Route } from './route.ts';

type Json = Record<string, unknown>;

function schemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json;
  return rest;
}

const PROBLEM: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: {
      enum: [
        'invalid',
        'unauthorized',
        'forbidden',
        'not_found',
        'conflict',
        'rate_limited',
        'unavailable',
        'internal',
      ],
    },
    detail: { type: 'string', description: 'Safe to show to people' },
    hint: { type: 'string', description: 'What to do about it' },
    fields: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

function parametersOf(route: Route): Json[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  if (!route.query) return inPath;
  const query = schemaOf(route.query) as { properties?: Record<string, Json>; required?: string[] };
  const inQuery = Object.entries(query.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: query.required?.includes(name) ?? false,
    schema,
  }));
  return [...inPath, ...inQuery];
}

function answersOf(route: Route): Json {
  const content = route.produces
    ? { [route.produces]: {} }
    : { 'application/json': { schema: route.answer ? schemaOf(route.answer) : { type: 'object' } } };
  const good = route.status === 204 ? { description: 'Done' } : { description: 'Done', content };
  const bad = {
    description: 'Refused or failed',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  return { [route.status]: good, default: bad };
}

/** OpenAPI 3.1 for these routes under /api/v1. */
export function openApi(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const operation: Json = {
      tags: [route.tag],
      summary: route.summary,
      security: route.access === 'anyone' ? [] : [{ bearer: [] }, { cookie: [] }],
      parameters: parametersOf(route),
      responses: answersOf(route),
    };
    if (Array.isArray(route.access)) operation['x-roles'] = route.access;
    if (route.body) {
      operation.requestBody = {
        required: true,
        content: {
          'application/json': { schema: schemaOf(route.body) },
          ...(route.takes ? { [route.takes]: { schema: { type: 'string' } } } : {}),
        },
      };
    }
    paths[route.path] = { ...paths[route.path], [route.method]: operation };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Karibu admin API',
      version,
      description:
        'A query parameter that an operation does not list, or that is given twice, is refused with `invalid`: ' +
        '`fields` names it and `hint` lists the known ones.',
    },
    servers: [{ url: '/api/v1' }],
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'karibu_login' },
      },
    },
  };
}
