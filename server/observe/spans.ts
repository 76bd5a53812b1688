/**
 * What a request and an answer are as spans, by OpenTelemetry's conventions for HTTP servers and for generative AI.
 * Made of what the log is made of: paths as the routes spell them, ids, counts and codes. No header, query, body, answer
 * or caller is among it.
 */
import { type Attributes, SpanKind } from '@opentelemetry/api'
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
} from '@opentelemetry/semantic-conventions'
import type { Answered } from './answered.ts'
import type { Requested } from './requested.ts'

export interface SpanFacts {
  readonly name: string
  readonly kind: SpanKind
  readonly attributes: Attributes
  /** It failed here, not at the client's. */
  readonly isError: boolean
}

/** Where an answer was asked for. */
export type Origin = 'http' | 'websocket' | 'batch'

/** Methods that the conventions name; a client may send others. */
const METHODS = new Set('GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE'.split(' '))

export function requestSpan({ method, endpoint, ...rest }: Requested): SpanFacts {
  const known = METHODS.has(method)
  return {
    name: [known ? method : 'HTTP', ...(endpoint === null ? [] : [endpoint])].join(' '),
    kind: SpanKind.SERVER,
    attributes: {
      [ATTR_HTTP_REQUEST_METHOD]: known ? method : '_OTHER',
      [ATTR_HTTP_RESPONSE_STATUS_CODE]: rest.status,
      [ATTR_URL_SCHEME]: 'http',
      // The path itself can hold anything.
      ...(endpoint === null ? {} : { [ATTR_HTTP_ROUTE]: endpoint, [ATTR_URL_PATH]: endpoint }),
      ...errorType(rest.code),
      'illuminator.request_id': rest.requestId,
    },
    // A stream's status has left before it fails.
    isError: rest.status >= 500 || rest.answered?.outcome === 'failed',
  }
}

/** The names of `gen_ai` are not stable yet: these are those of its repository in 2026. */
export function answerSpan(answered: Answered, origin: Origin): SpanFacts {
  const { operation, model, responseId, finishReasons = [], firstToken, outcome } = answered
  const named = model === '' ? [] : [model]
  return {
    // A model that was never loaded may have no name yet.
    name: [operation, ...named].join(' '),
    kind: SpanKind.INTERNAL,
    attributes: {
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': 'illuminator',
      ...(model === '' ? {} : { 'gen_ai.request.model': model }),
      ...(responseId === undefined ? {} : { 'gen_ai.response.id': responseId }),
      ...(finishReasons.length === 0
        ? {}
        : { 'gen_ai.response.finish_reasons': [...finishReasons] }),
      ...(firstToken === null ? {} : begun(model, firstToken)),
      'gen_ai.usage.input_tokens': answered.promptTokens,
      'gen_ai.usage.cache_read.input_tokens': answered.cachedTokens,
      'gen_ai.usage.output_tokens': answered.completionTokens,
      ...errorType(answered.code),
      'illuminator.outcome': outcome,
      'illuminator.origin': origin,
      'illuminator.request_id': answered.requestId,
    },
    isError: outcome === 'failed',
  }
}

/** Of a response that has begun. */
const begun = (model: string, firstToken: number): Attributes => ({
  'gen_ai.response.model': model,
  'gen_ai.response.time_to_first_chunk': firstToken / 1000,
})

/** As clients see it, theirs and ours. */
const errorType = (code: string | null): Attributes =>
  code === null ? {} : { [ATTR_ERROR_TYPE]: code }
