/** The command of `npm run bench:docs`. */
import { relative } from 'node:path';
import { writeDocs } from './docs.js';

process.stdout.write(`${relative(process.cwd(), writeDocs())} has the tables of bench/results/\n`);
