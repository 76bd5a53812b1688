/** Old entries of the ledger are found without reading all of it. */
import type { Migration } from '../migration.ts'

export const ledgerAge: Migration = {
  number: 4,
  name: 'ledger age',
  statements: ['CREATE INDEX ledger_started ON ledger (started_at)'],
}
