// What a command is given, and how it speaks.
import type { Config } from '../config.ts';

export interface CommandInput {
  config: Config;
  /** Arguments after the command's name that are no flags. */
  words: string[];
  flags: Record<string, string | boolean | undefined>;
  /** The whole of standard input, for `--password-stdin`. */
  readStdin(): Promise<string>;
  /** One result: a line for people, or the value as JSON with `--json`. */
  print(text: string, value: unknown): void;
}

export interface Command {
  summary: string;
  usage: string;
  flags?: Record<string, { type: 'string' | 'boolean' }>;
  /** What the environment says when it does not say otherwise. */
  environment?: Record<string, string>;
  run(input: CommandInput): Promise<void>;
}
