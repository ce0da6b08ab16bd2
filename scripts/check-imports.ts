// Who may import whom (docs/ARCHITECTURE.md), as a program.
//
// Every module below src/ belongs to a room: its first folder, and within node, manager and client also `core`.
// The table says what a room may import from other rooms; its own files are always free, except that a core sees
// neither its shell nor its storage. Types count: a type import is a dependency of the reader, too.
//
//   node build/scripts/check-imports.js [folder]     exit 1 and one line a problem
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

interface Room {
  /** Rooms whose files may be imported. `client/index` is the public client, one file. */
  readonly mayImport: readonly string[];
  /** npm packages; absent: every dependency of the package. */
  readonly packages?: readonly string[];
  /** node:* modules; absent: all but those of `nodeModulesOfOneRoom`. */
  readonly nodeModules?: readonly string[];
}

const pure = { nodeModules: ['node:buffer'] };
const rooms: Readonly<Record<string, Room>> = {
  protocol: { mayImport: [], packages: ['msgpackr'], ...pure },
  'node/core': { mayImport: ['protocol'], packages: [], ...pure },
  'manager/core': { mayImport: ['protocol'], packages: [], ...pure },
  'client/core': { mayImport: ['protocol'], packages: [], ...pure },
  transport: { mayImport: ['protocol'] },
  files: { mayImport: [], packages: [] },
  node: { mayImport: ['node/core', 'transport', 'files', 'protocol'] },
  manager: { mayImport: ['manager/core', 'transport', 'files', 'protocol'] },
  client: { mayImport: ['client/core', 'transport', 'protocol'] },
  terminal: { mayImport: [], packages: [] },
  load: { mayImport: ['client/index', 'protocol'] },
  snapshot: { mayImport: ['client/index', 'files', 'protocol'] },
  shop: { mayImport: ['client/index', 'snapshot', 'terminal'] },
  testing: { mayImport: ['client/index', 'protocol'] },
  cli: {
    mayImport: [
      'client/index',
      'load',
      'snapshot',
      'files',
      'terminal',
      'node',
      'manager',
      'transport',
      'protocol',
    ],
  },
};
const nodeModulesOfOneRoom = new Map([
  ['node:net', 'transport'],
  ['node:tls', 'transport'],
]);

/** Who reads the command line and the environment, and ends the process. */
function mayUseProcess(file: string, property: string): boolean {
  if (file.startsWith('src/cli/') || file === 'src/shop/main.ts') return true;
  return property === 'env' && file.startsWith('src/testing/');
}
const guardedProcessProperties = new Set(['argv', 'env', 'exit']);

/** The room of a path below src/, or undefined if the table knows none. */
function roomOf(file: string): string | undefined {
  const [, folder = '', subfolder] = file.split('/');
  const room = subfolder === 'core' ? `${folder}/core` : folder;
  return Object.hasOwn(rooms, room) ? room : undefined;
}

/**
 * Checks a tree given as a map from path (`src/node/server.ts`, with forward slashes) to source text.
 * `dependencies`: the packages that shipped code may import.
 */
export function checkImports(
  files: ReadonlyMap<string, string>,
  dependencies: readonly string[] = [],
): Problem[] {
  const problems: Problem[] = [];
  for (const [file, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!file.startsWith('src/')) continue;
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
    const report = (at: ts.Node, message: string): void => {
      const line = source.getLineAndCharacterOfPosition(at.getStart(source)).line + 1;
      problems.push({ file, line, message });
    };
    const room = roomOf(file);
    if (room === undefined) {
      report(source, 'belongs to no room; give its folder a row in scripts/check-imports.ts');
      continue;
    }
    visit(source, {
      specifier: (at, specifier) => {
        const message = importProblem(file, room, specifier, dependencies);
        if (message !== undefined) report(at, message);
      },
      processProperty: (at, property) => {
        if (guardedProcessProperties.has(property) && !mayUseProcess(file, property)) {
          report(at, `process.${property} belongs to src/cli and src/shop/main.ts; take it as an option`);
        }
      },
    });
  }
  return problems;
}

function importProblem(
  file: string,
  room: string,
  specifier: string,
  dependencies: readonly string[],
): string | undefined {
  const rule = rooms[room];
  if (rule === undefined) return undefined;

  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
    if (!target.startsWith('src/')) {
      return target === 'package.json' ? undefined : `src/ may not import '${target}', which is not shipped`;
    }
    const targetRoom = roomOf(target);
    if (targetRoom === room) return undefined;
    if (targetRoom !== undefined && rule.mayImport.includes(targetRoom)) return undefined;
    if (target === 'src/client/index.ts' && rule.mayImport.includes('client/index')) return undefined;
    const allowed = rule.mayImport.length > 0 ? rule.mayImport.join(', ') : 'nothing of ours';
    return `${room} may not import ${target} (${room} imports: ${allowed})`;
  }

  const nodeModule = asNodeModule(specifier);
  if (nodeModule !== undefined) {
    const owner = nodeModulesOfOneRoom.get(nodeModule);
    if (owner !== undefined && owner !== room) return `only ${owner} imports ${nodeModule}`;
    if (rule.nodeModules === undefined || rule.nodeModules.includes(nodeModule)) return undefined;
    return `${room} is pure: of node:* only ${rule.nodeModules.join(', ')}, not ${nodeModule}`;
  }

  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (name === 'gtstore') return `import '${specifier}' by its relative path`;
  if (!dependencies.includes(name)) return `'${name}' is no dependency of the shipped package`;
  if (rule.packages !== undefined && !rule.packages.includes(name)) return `${room} may not import '${name}'`;
  return undefined;
}

const bareNodeModules =
  /^(assert|async_hooks|buffer|child_process|cluster|console|crypto|dgram|diagnostics_channel|dns|events|fs|http|http2|https|module|net|os|path|perf_hooks|process|querystring|readline|repl|stream|string_decoder|timers|tls|tty|url|util|v8|vm|worker_threads|zlib)(\/|$)/;

function asNodeModule(specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return specifier;
  return bareNodeModules.test(specifier) ? `node:${specifier}` : undefined;
}

interface Visitor {
  specifier(at: ts.Node, specifier: string): void;
  processProperty(at: ts.Node, property: string): void;
}

function visit(node: ts.Node, visitor: Visitor): void {
  const specifier = specifierOf(node);
  if (specifier !== undefined) visitor.specifier(node, specifier);
  for (const property of processPropertiesOf(node)) visitor.processProperty(node, property);
  ts.forEachChild(node, (child) => {
    visit(child, visitor);
  });
}

/** Covers `import`, `import type`, `export ... from`, `import(...)`, `import x = require(...)` and `import('...').Type`. */
function specifierOf(node: ts.Node): string | undefined {
  let literal: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) literal = node.moduleSpecifier;
  else if (ts.isExternalModuleReference(node)) literal = node.expression;
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) literal = node.argument.literal;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    literal = node.arguments[0];
  }
  return literal !== undefined && ts.isStringLiteralLike(literal) ? literal.text : undefined;
}

/** `process.env`, `process['env']`, `const { env } = process`, `import { env } from 'node:process'`. */
function processPropertiesOf(node: ts.Node): string[] {
  const isProcess = (of: ts.Node | undefined): boolean =>
    of !== undefined && ts.isIdentifier(of) && of.text === 'process';
  if (ts.isPropertyAccessExpression(node) && isProcess(node.expression)) return [node.name.text];
  if (ts.isElementAccessExpression(node) && isProcess(node.expression)) {
    return ts.isStringLiteralLike(node.argumentExpression) ? [node.argumentExpression.text] : [];
  }
  if (ts.isVariableDeclaration(node) && isProcess(node.initializer) && ts.isObjectBindingPattern(node.name)) {
    return node.name.elements.map((element) => (element.propertyName ?? element.name).getText());
  }
  if (ts.isImportDeclaration(node) && asNodeModule(specifierOf(node) ?? '') === 'node:process') {
    const bindings = node.importClause?.namedBindings;
    if (bindings === undefined || !ts.isNamedImports(bindings)) return [];
    return bindings.elements.map((element) => (element.propertyName ?? element.name).text);
  }
  return [];
}

/** Reads every .ts file below `root`/src into the map that `checkImports` takes. */
export function readTree(root: string): Map<string, string> {
  const src = join(root, 'src');
  const files = new Map<string, string>();
  if (!existsSync(src)) return files;
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.[cm]?ts$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(relative(root, path).split(sep).join('/'), readFileSync(path, 'utf8'));
  }
  return files;
}

/** The names under `dependencies` in `root`/package.json. */
export function readDependencies(root: string): string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  return Object.keys(manifest.dependencies ?? {});
}

/** The folder of package.json, from wherever this file was compiled to. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

if (argv[1] !== undefined && resolve(argv[1]) === fileURLToPath(import.meta.url)) {
  const root = resolve(argv[2] ?? packageRoot());
  const files = readTree(root);
  const problems = checkImports(files, readDependencies(root));
  for (const { file, line, message } of problems) stderr.write(`${file}:${line}: ${message}\n`);
  if (problems.length > 0) process.exitCode = 1;
  else stdout.write(`imports: ${files.size} files, each imports only what it may\n`);
}
