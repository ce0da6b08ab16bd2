/** `test_app shop`: the shop at a terminal, or as a script on stdin. */
import { createInterface } from 'node:readline';
import { RefusedError } from './basket.js';
import { UsageError, codeOf } from './errors.js';
import { ShopCommands, type ShopCommandsOptions, shopHelp } from './shop-commands.js';

export interface ShopCommandOptions extends Omit<ShopCommandsOptions, 'print'> {
  /** Logged in at once, if given. */
  readonly user: string | undefined;
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
  /** What the commands say; default: into `output`. */
  readonly print?: (text: string) => void;
  readonly errors: { write(text: string): unknown };
}

/**
 * Reads commands until `quit` or the end of the input; resolves to the exit code.
 *
 * At a terminal: a prompt, and whoever types sees what went wrong, so 0. As a script: no prompt; a line that fails is
 * reported with its number, the rest is done, and the exit code is 1 at the end. Ctrl-C at the prompt leaves.
 */
export async function runShop(options: ShopCommandOptions): Promise<number> {
  const { user, input, output, errors } = options;
  const isTerminal = input.isTTY === true;
  const commands = new ShopCommands({ print: (text) => void output.write(text), ...options });
  if (user !== undefined) await commands.logIn(user);
  if (isTerminal) output.write(shopHelp);

  const reader = createInterface({ input, terminal: isTerminal, ...(isTerminal ? { output } : {}) });
  reader.on('SIGINT', () => reader.close());
  // Input that has ended closes the reader while its last lines are still being worked off; Node 24 prompts no more.
  let isClosed = false;
  reader.once('close', () => (isClosed = true));
  const prompt = (): void => {
    if (!isTerminal || isClosed) return;
    reader.setPrompt(`${commands.user ?? 'nobody'}> `);
    reader.prompt();
  };

  let lineNumber = 0;
  let failures = 0;
  prompt();
  for await (const line of reader) {
    lineNumber += 1;
    try {
      await commands.run(line);
    } catch (error) {
      if (!isExpected(error)) throw error;
      failures += 1;
      errors.write(`${isTerminal ? '' : `line ${lineNumber}: `}${error.message}\n`);
    }
    if (commands.hasQuit) break;
    prompt();
  }
  reader.close();
  return failures > 0 && !isTerminal ? 1 : 0;
}

/** Wrong input, a wish refused, or the store's own failure; anything else is a fault of this program. */
function isExpected(error: unknown): error is Error {
  return error instanceof UsageError || error instanceof RefusedError || codeOf(error) !== undefined;
}
