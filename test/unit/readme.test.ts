// The README's TypeScript is what people copy: it compiles, with the compiler options of this project.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../scripts/check-imports.js';

/** What the examples after the first one take for granted. */
const givens = `
import { GTStoreClient, type StoreValue } from 'gtstore';
declare const store: GTStoreClient;
type Cart = string[];
declare const key: string, keys: string[], item: string, value: StoreValue;
declare const entries: Record<string, StoreValue>;
export {};
`;

/** The blocks that begin with ```ts, with the number of their first line. */
function examplesIn(markdown: string): { line: number; text: string }[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => ({
    line: markdown.slice(0, match.index).split('\n').length + 1,
    text: match[1] ?? '',
  }));
}

/** What the compiler has to say, each with the line of the README. */
function complaintsAbout(root: string, examples: ReturnType<typeof examplesIn>): string[] {
  const config: unknown = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config;
  const { compilerOptions } = config as { compilerOptions: object };
  const once = { types: ['node'], noEmit: true, incremental: false, tsBuildInfoFile: undefined };
  // An example names what it could go on with.
  const unused = { noUnusedLocals: false, noUnusedParameters: false };
  const { options } = ts.convertCompilerOptionsFromJson({ ...compilerOptions, ...once, ...unused }, root);
  // Files that are not there, beside package.json: so the package's sources can be imported, and ES modules are meant.
  const files = new Map<string, { line: number; text: string }>();
  for (const { line, text } of examples) {
    const before = text.includes("from 'gtstore'") ? '' : givens;
    const all = `${before}${text}`.replaceAll("'gtstore'", "'./src/client/index.js'");
    files.set(join(root, `readme-${line}.ts`), { line: line - before.split('\n').length + 1, text: all });
  }
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name)?.text ?? readFile(name);
  host.getSourceFile = (name, version, ...others) => {
    const text = files.get(name)?.text;
    return text === undefined
      ? getSourceFile(name, version, ...others)
      : ts.createSourceFile(name, text, version);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([name, { line }]) => {
    const source = program.getSourceFile(name);
    const problems = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return problems.map(({ start = 0, messageText }) => {
      const lineOfFile = source?.getLineAndCharacterOfPosition(start).line ?? 0;
      return `line ${line + lineOfFile}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}

describe('the examples in the README', () => {
  it('compile', function () {
    // A compiler reads the client and the types of Node.
    this.timeout(60_000);
    const root = packageRoot();
    const examples = examplesIn(readFileSync(join(root, 'README.md'), 'utf8'));
    expect(examples.length).to.be.at.least(2);
    expect(complaintsAbout(root, examples)).to.deep.equal([]);
  });
});
