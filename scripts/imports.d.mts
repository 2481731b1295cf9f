// Types of imports.mjs for the tests.

export interface FoundImport {
  specifier: string;
  typeOnly: boolean;
}

export function importsOf(text: string): FoundImport[];
export function reaches(file: string, name: string): boolean;
