// Type-checked rules for everything, and the house rules that a linter can see.
// Who may import whom across folders is checked by scripts/check-imports.ts.
import comments from '@eslint-community/eslint-plugin-eslint-comments/configs';
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Time, randomness and the outside world reach a core through its injected ports only. */
const impureGlobals = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['queueMicrotask', 'performance', 'crypto', 'process', 'console', 'fetch', 'globalThis', 'global'],
].map((name) => ({ name, message: 'Cores are pure: take a port instead.' }));

const impureProperties = [
  { object: 'Date', property: 'now', message: 'Cores are pure: take the clock as a port.' },
  { object: 'Math', property: 'random', message: 'Cores are pure: take randomness as a port.' },
];

const impureSyntax = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Cores are pure: take the clock as a port.',
  },
  { selector: 'ImportExpression', message: 'Cores are pure: no dynamic import.' },
  { selector: ':function[async=true]', message: 'Cores are pure: no async; answer through a port.' },
  { selector: 'AwaitExpression', message: 'Cores are pure: no await; answer through a port.' },
  { selector: 'ForOfStatement[await=true]', message: 'Cores are pure: no await; answer through a port.' },
  {
    selector: "NewExpression[callee.name='Promise']",
    message: 'Cores are pure: no promises; answer through a port.',
  },
  {
    selector: "MemberExpression[object.name='Promise']",
    message: 'Cores are pure: no promises; answer through a port.',
  },
  {
    selector: 'TSTypeReference[typeName.name=/^Promise(Like)?$/]',
    message: 'Cores are pure: no promises; answer through a port.',
  },
];

/** What test frameworks put fakes in the place of; `Date` is another matter, see real-time.ts. */
const fakeableGlobals = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['queueMicrotask', 'performance'],
].map((name) => ({ name, message: 'A test may have faked it: import it from transport/real-time.' }));
const fakeableModules = {
  regex: '^(node:)?(timers(/promises)?|perf_hooks)$',
  message: 'A test may have faked it: import it from transport/real-time.',
};

export default defineConfig(
  globalIgnores(['dist/', 'build/', 'coverage/']),

  js.configs.recommended,
  comments.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // A switched-off rule says why: `// eslint-disable-next-line some-rule -- the reason`
      '@eslint-community/eslint-comments/require-description': ['error', { ignore: ['eslint-enable'] }],
      '@eslint-community/eslint-comments/disable-enable-pair': ['error', { allowWholeFile: true }],
    },
  },

  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      'no-console': 'off',
      'no-param-reassign': 'off',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'prefer-template': 'error',
      'max-lines': ['warn', { max: 450 }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' },
      ],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // The compiler forbids dot access to index signatures (noPropertyAccessFromIndexSignature).
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // Ports are interfaces with methods that an implementation may leave empty.
      '@typescript-eslint/no-empty-function': 'off',
      // `type` for unions, `interface` for shapes is a habit, not a law.
      '@typescript-eslint/consistent-type-definitions': 'off',
    },
  },

  {
    files: ['src/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    // The commands talk to a person; their output goes through process.stdout or console.
    files: ['src/cli/**/*.ts', 'src/shop/**/*.ts'],
    rules: { 'no-console': 'off' },
  },

  {
    // Cores and the protocol: pure (HOUSE rule, docs/HACKING.md).
    files: ['src/protocol/**/*.ts', 'src/*/core/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': ['error', ...impureProperties],
      'no-restricted-syntax': ['error', ...impureSyntax],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex:
                '^(node:(?!buffer$)|(assert|child_process|cluster|crypto|dgram|dns|events|fs|http|http2|https|net|os|path|perf_hooks|process|stream|timers|tls|url|util|v8|vm|worker_threads|zlib)(/|$))',
              message: 'Cores are pure: of node:* only node:buffer.',
            },
          ],
        },
      ],
    },
  },

  {
    // What lives in the processes of users is not to stand still with the fake timers of their tests.
    files: ['src/client/*.ts', 'src/transport/*.ts'],
    ignores: ['src/transport/real-time.ts'],
    rules: {
      'no-restricted-globals': ['error', ...fakeableGlobals],
      'no-restricted-imports': ['error', { patterns: [fakeableModules] }],
    },
  },

  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines': 'off',
      // chai: expect(x).to.be.true
      '@typescript-eslint/no-unused-expressions': 'off',
      // A test may assert what it just set up, and stub an async port without awaiting.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },

  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
    rules: { eqeqeq: 'error', 'prefer-const': 'error', 'no-undef': 'error', 'no-unused-vars': 'error' },
  },
);
