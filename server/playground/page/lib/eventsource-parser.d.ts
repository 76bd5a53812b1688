/** The page gets it under this name from the server (`assets.ts`). */
export * from 'eventsource-parser'
