/** The schema's steps, in order. Add a file and a line; a released step is never changed. */
import type { Migration } from '../migration.ts'
import { keysAndLimits } from './0001-keys-and-limits.ts'
import { ledger } from './0002-ledger.ts'
import { batch } from './0003-batch.ts'
import { ledgerAge } from './0004-ledger-age.ts'

export const MIGRATIONS: readonly Migration[] = [keysAndLimits, ledger, batch, ledgerAge]
