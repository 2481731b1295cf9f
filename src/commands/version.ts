// karibu version: says which build this is.
import { version as build } from '../version.ts';
import type { Command } from './command.ts';

export const version: Command = {
  summary: 'Say which build this is',
  usage: 'karibu version',
  async run({ print }) {
    print(`karibu ${build}`, { version: build });
  },
};
