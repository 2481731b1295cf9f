// What a backup says of itself.
import * as z from 'zod';
import { KEY_FILE } from '../../db/key-file.ts';

export const MANIFEST_FILE = 'manifest.json';
export const DATABASE_FILE = 'karibu.db';
export { KEY_FILE };

const manifestSchema = z.object({
  format: z.literal(1),
  /** The version that made it. */
  karibu: z.string(),
  made_at: z.number().int(),
  database: z.object({
    octets: z.number().int().positive(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    migrations: z.array(z.string()),
  }),
  has_key: z.boolean(),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** The manifest in these octets. Throws for anything else, a later format included. */
export function readManifest(octets: Uint8Array): Manifest {
  return manifestSchema.parse(JSON.parse(Buffer.from(octets).toString('utf8')));
}

export function writeManifest(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}
